package config

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// APIVersion and Kind head every configuration file.
const (
	APIVersion = "config.portico.dev/v1alpha1"
	Kind       = "PorticoConfiguration"
)

// File is the name of the configuration file in the data folder.
const File = "portico.yaml"

// Started is the name of the file in the data folder that says how its plane was started.
const Started = "plane.yaml"

// Config is everything that can be set.
type Config struct {
	// APIVersion is config.portico.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is PorticoConfiguration.
	Kind string `json:"kind"`

	// Data is the folder that holds all that portico keeps. Default: /var/lib/portico for
	// root, else $XDG_STATE_HOME/portico, else ~/.local/state/portico.
	Data string `json:"data,omitempty"`
	// Listen is the address of the management API server. The ports that follow it are
	// used too: see Ports. Default: 127.0.0.1:7443.
	Listen string `json:"listen,omitempty"`
	// Machines says how the machines of local clusters are made.
	Machines Machines `json:"machines,omitempty"`
	// Management tunes the management plane.
	Management Management `json:"management,omitempty"`
	// Logs bounds the log files.
	Logs Logs `json:"logs,omitempty"`
}

// Machines says how the machines of local clusters are made.
type Machines struct {
	// Kind is Real (needs root), Virtual, or Auto: whatever this user may make. Default: Auto.
	Kind MachineKind `json:"kind,omitempty"`
}

// MachineKind is Auto, Real or Virtual.
type MachineKind string

// The kinds of machines.
const (
	MachinesAuto    MachineKind = "Auto"
	MachinesReal    MachineKind = "Real"
	MachinesVirtual MachineKind = "Virtual"
)

// Management tunes the management plane.
type Management struct {
	// GarbageCollection is the Go runtime's GOGC for the programs of the plane: smaller
	// takes less memory and more processor time. Default: 50.
	GarbageCollection int `json:"garbageCollection,omitempty"`
	// ClusterAPI are further flags for Cluster API's manager. Default: none.
	ClusterAPI []string `json:"clusterAPI,omitempty"`
	// Verbosity of the programs' logs, 0 to 9. Default: 0.
	Verbosity int `json:"verbosity,omitempty"`
}

// Logs bounds the log files.
type Logs struct {
	// MaxSize is the size at which a log file is rotated; one older file is kept. Default: 16Mi.
	MaxSize resource.Quantity `json:"maxSize,omitzero"`
}

// Ports are the ports that the plane listens on.
type Ports struct {
	// API is the management API server's.
	API int
	// Webhooks is that of our admission webhooks.
	Webhooks int
	// Registry is that of the bundled charts and images.
	Registry int
	// Artifacts is that of the fetched sources.
	Artifacts int
	// ClusterAPIWebhooks and ClusterAPIHealth are Cluster API's.
	ClusterAPIWebhooks, ClusterAPIHealth int
}

// Named returns the ports with what each is for, in order.
func (p Ports) Named() []NamedPort {
	return []NamedPort{
		{p.API, "management API server"},
		{p.Webhooks, "admission webhooks"},
		{p.Registry, "registry of charts and images"},
		{p.Artifacts, "artifacts of sources"},
		{p.ClusterAPIWebhooks, "Cluster API's webhooks"},
		{p.ClusterAPIHealth, "Cluster API's health"},
	}
}

// NamedPort is a port with what it is for.
type NamedPort struct {
	Port int
	For  string
}

// Host is the address that everything listens on.
func (c Config) Host() string {
	host, _, _ := net.SplitHostPort(c.Listen)
	return host
}

// Ports are six in a row; the first is that of Listen.
func (c Config) Ports() Ports {
	_, text, _ := net.SplitHostPort(c.Listen)
	first, _ := strconv.Atoi(text)
	return Ports{API: first, Webhooks: first + 1, Registry: first + 2, Artifacts: first + 3, ClusterAPIWebhooks: first + 4, ClusterAPIHealth: first + 5}
}

// Default returns the configuration for a user whose environment getenv reads.
func Default(uid int, getenv func(string) string) Config {
	return Config{
		APIVersion: APIVersion,
		Kind:       Kind,
		Data:       defaultData(uid, getenv),
		Listen:     "127.0.0.1:7443",
		Machines:   Machines{Kind: MachinesAuto},
		Management: Management{GarbageCollection: 50},
		Logs:       Logs{MaxSize: resource.MustParse("16Mi")},
	}
}

func defaultData(uid int, getenv func(string) string) string {
	if uid == 0 {
		return "/var/lib/portico"
	}
	if state := getenv("XDG_STATE_HOME"); state != "" {
		return filepath.Join(state, "portico")
	}
	return filepath.Join(getenv("HOME"), ".local", "state", "portico")
}

// Validate returns the first thing that is wrong with c.
func (c Config) Validate() error {
	if c.APIVersion != APIVersion || c.Kind != Kind {
		return fmt.Errorf("apiVersion and kind are %q and %q, expected %q and %q", c.APIVersion, c.Kind, APIVersion, Kind)
	}
	if !filepath.IsAbs(c.Data) {
		return fmt.Errorf("data: %q is not an absolute path", c.Data)
	}
	if err := validateListen(c.Listen); err != nil {
		return err
	}
	switch c.Machines.Kind {
	case MachinesAuto, MachinesReal, MachinesVirtual:
	default:
		return fmt.Errorf("machines.kind: %q is none of Auto, Real, Virtual", c.Machines.Kind)
	}
	if c.Management.GarbageCollection < 10 {
		return fmt.Errorf("management.garbageCollection: %d is less than 10", c.Management.GarbageCollection)
	}
	if c.Logs.MaxSize.Value() < 64<<10 {
		return fmt.Errorf("logs.maxSize: %s is less than 64Ki", c.Logs.MaxSize.String())
	}
	return nil
}

func validateListen(listen string) error {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen: %q is no address and port, such as 127.0.0.1:7443", listen)
	}
	if net.ParseIP(host) == nil {
		return fmt.Errorf("listen: %q is no IP address", host)
	}
	if port, err := strconv.Atoi(text); err != nil || port < 1 || port > 65500 {
		return fmt.Errorf("listen: %q is no port between 1 and 65500", text)
	}
	return nil
}
