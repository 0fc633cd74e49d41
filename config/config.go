package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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
	// Listen is the address of the management API server, one that this machine has and clients
	// reach. The ports that follow it are used too: see Ports. Default: 127.0.0.1:7443.
	Listen string `json:"listen,omitempty"`
	// Machines says how the machines of local clusters are made.
	Machines Machines `json:"machines,omitempty"`
	// Clusters says what local clusters reach.
	Clusters Clusters `json:"clusters,omitempty"`
	// State says how services get onto clusters.
	State State `json:"state,omitempty"`
	// Observability says what becomes of telemetry.
	Observability Observability `json:"observability,omitempty"`
	// HTTP says how people sign in to the HTTP API.
	HTTP HTTP `json:"http,omitempty"`
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

// Clusters says what local clusters reach.
type Clusters struct {
	// Egress lets real machines and their pods reach what this computer reaches, under its address:
	// above all the registries of images that are not bundled. Default: true.
	Egress bool `json:"egress"`
	// Nameservers resolve names outside the clusters; they are IPv4 addresses. Default: those of
	// this computer.
	Nameservers []netip.Addr `json:"nameservers,omitempty"`
}

// State says how services get onto clusters.
type State struct {
	// Engine installs the services of ServiceSets whose StateManagementProvider names none: direct,
	// flux or sveltos. Changing it has the services of these sets removed by the one before and
	// installed anew. Default: direct.
	Engine string `json:"engine,omitempty"`
}

// Engines are the engines that there are.
func Engines() []string { return []string{"direct", "flux", "sveltos"} }

// Observability says what becomes of telemetry.
type Observability struct {
	// Stores says when this plane keeps telemetry itself: Auto, once a cluster has the label
	// k0rdent.mirantis.com/kof-cluster-role, Always, or Never. Default: Auto.
	Stores Keeping `json:"stores,omitempty"`
	// Retention is how many days telemetry is kept. Default: 30.
	Retention int `json:"retention,omitempty"`
}

// Keeping is Auto, Always or Never.
type Keeping string

// When a plane keeps telemetry itself.
const (
	KeepAuto   Keeping = "Auto"
	KeepAlways Keeping = "Always"
	KeepNever  Keeping = "Never"
)

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
	// AnyUpgrade lets the template of a cluster change to any other, not only along
	// ClusterTemplateChains. k0rdent's flag is --validate-cluster-upgrade-path=false. Default: false.
	AnyUpgrade bool `json:"anyUpgrade,omitempty"`
	// Verbosity of the programs' logs, 0 to 9. Default: 0.
	Verbosity int `json:"verbosity,omitempty"`
}

// Logs bounds the log files.
type Logs struct {
	// MaxSize is the size at which a log file is rotated; one older file is kept. Default: 16Mi.
	MaxSize resource.Quantity `json:"maxSize,omitzero"`
}

// Loopback is the address of what only programs of this machine ask.
const Loopback = "127.0.0.1"

// Ports are the ports that the plane listens on.
type Ports struct {
	// Host is the address of API, Registry and HTTP, which are all that the outside may ask.
	Host string
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
	// HelmControllerHealth and AddonControllerHealth are those of the engines flux and sveltos. They
	// are listened on once something uses the engine.
	HelmControllerHealth, AddonControllerHealth int
	// HTTP is that of the HTTP API.
	HTTP int
	// Telemetry is where telemetry is sent to and asked for. Behind it are Metrics, Records, Rules
	// and Alerts: the stores of metrics and of logs and traces, what evaluates rules, and
	// Alertmanager. They are listened on once something uses them.
	Telemetry, Metrics, Records, Rules, Alerts int
	// Own is where the plane's own metrics are asked for, those of its programs among them;
	// ClusterAPIMetrics is where it asks Cluster API.
	Own, ClusterAPIMetrics int
	// CollectorHealth, CollectorMetrics and CollectorQueue are those of the plane's own collector. They
	// are listened on once there are stores.
	CollectorHealth, CollectorMetrics, CollectorQueue int
}

// Named returns the ports with what each is for, in order.
func (p Ports) Named() []NamedPort {
	return []NamedPort{
		{p.Host, p.API, "management API server"},
		{Loopback, p.Webhooks, "admission webhooks"},
		{p.Host, p.Registry, "registry of charts and images"},
		{Loopback, p.Artifacts, "artifacts of sources"},
		{"::", p.ClusterAPIWebhooks, "Cluster API's webhooks"}, // upstream has no flag for the address
		{Loopback, p.ClusterAPIHealth, "Cluster API's health"},
		{Loopback, p.HelmControllerHealth, "helm-controller's health"},
		{Loopback, p.AddonControllerHealth, "addon-controller's health"},
		{p.Host, p.HTTP, "HTTP API"},
		{p.Host, p.Telemetry, "telemetry"},
		{Loopback, p.Metrics, "store of metrics"},
		{Loopback, p.Records, "store of logs and traces"},
		{Loopback, p.Rules, "evaluation of rules"},
		{Loopback, p.Alerts, "Alertmanager"},
		{Loopback, p.Own, "the plane's own metrics"},
		{Loopback, p.ClusterAPIMetrics, "Cluster API's metrics"},
		{Loopback, p.CollectorHealth, "collector's health"},
		{Loopback, p.CollectorMetrics, "collector's own metrics"},
		{Loopback, p.CollectorQueue, "collector's queue of metrics"},
	}
}

// NamedPort is a port with what it is for.
type NamedPort struct {
	// Host is the address that it is bound to; "::" is every one.
	Host string
	Port int
	For  string
}

// Host is the address of Listen.
func (c Config) Host() string {
	host, _, _ := net.SplitHostPort(c.Listen)
	return host
}

// Ports are nineteen in a row; the first is that of Listen.
func (c Config) Ports() Ports {
	host, text, _ := net.SplitHostPort(c.Listen)
	first, _ := strconv.Atoi(text)
	return Ports{
		Host: host, API: first, Webhooks: first + 1, Registry: first + 2, Artifacts: first + 3,
		ClusterAPIWebhooks: first + 4, ClusterAPIHealth: first + 5,
		HelmControllerHealth: first + 6, AddonControllerHealth: first + 7, HTTP: first + 8,
		Telemetry: first + 9, Metrics: first + 10, Records: first + 11, Rules: first + 12, Alerts: first + 13,
		Own: first + 14, ClusterAPIMetrics: first + 15, CollectorHealth: first + 16, CollectorMetrics: first + 17, CollectorQueue: first + 18,
	}
}

// Default returns the configuration for a user whose environment getenv reads.
func Default(uid int, getenv func(string) string) Config {
	return Config{
		APIVersion:    APIVersion,
		Kind:          Kind,
		Data:          defaultData(uid, getenv),
		Listen:        "127.0.0.1:7443",
		Machines:      Machines{Kind: MachinesAuto},
		Clusters:      Clusters{Egress: true},
		State:         State{Engine: "direct"},
		Observability: Observability{Stores: KeepAuto, Retention: 30},
		HTTP:          HTTP{Links: LinksLocal},
		Management:    Management{GarbageCollection: 50},
		Logs:          Logs{MaxSize: resource.MustParse("16Mi")},
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
	for _, n := range c.Clusters.Nameservers {
		if !n.Is4() || n.IsLoopback() || n.IsUnspecified() {
			return fmt.Errorf("clusters.nameservers: %s is no IPv4 address that clusters reach: a loopback address is their own", n)
		}
	}
	if !slices.Contains(Engines(), c.State.Engine) {
		return fmt.Errorf("state.engine: %q is none of %s", c.State.Engine, strings.Join(Engines(), ", "))
	}
	switch c.Observability.Stores {
	case KeepAuto, KeepAlways, KeepNever:
	default:
		return fmt.Errorf("observability.stores: %q is none of Auto, Always, Never", c.Observability.Stores)
	}
	if days := c.Observability.Retention; days < 1 || days > 3650 {
		return fmt.Errorf("observability.retention: %d is no number of days between 1 and 3650", days)
	}
	if err := c.HTTP.validate(); err != nil {
		return err
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
	ip := net.ParseIP(host)
	if ip == nil {
		return fmt.Errorf("listen: %q is no IP address", host)
	}
	if ip.IsUnspecified() {
		return fmt.Errorf("listen: %s stands for every address, and leads nobody here from a kubeconfig: name the one that clients reach", host)
	}
	if port, err := strconv.Atoi(text); err != nil || port < 1 || port > 65500 {
		return fmt.Errorf("listen: %q is no port between 1 and 65500", text)
	}
	return nil
}
