package collect

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"time"

	"github.com/prometheus/common/model"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Role is what a collector is for.
type Role string

// The roles. The first two are called as k0rdent calls its collectors.
const (
	Daemon       Role = "daemon"
	ClusterStats Role = "cluster-stats"
	Management   Role = "management"
)

// Variables of the environment that a configuration refers to. What runs the collector sets them.
const (
	// NodeName and NodeIP are those of the node under a Daemon.
	NodeName = "OTEL_K8S_NODE_NAME"
	NodeIP   = "OTEL_K8S_NODE_IP"
	// User and Password are the credentials for the store, where Facts name no others.
	User     = "KOF_VM_USER"
	Password = "KOF_VM_PASSWORD"
)

// Facts are what a configuration depends on.
type Facts struct {
	Role Role `json:"role"`

	// Cluster and Namespace are the name and namespace of the cluster as the management plane
	// knows it. Tenant is whose it is, where what is told does not say; empty means the platform's, and of
	// Management nobody's: only who may see all tenants sees it.
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace,omitempty"`
	Tenant    string `json:"tenant,omitempty"`

	// Write is where telemetry goes. What has no endpoint is not collected.
	Write Endpoints `json:"write"`
	// Credentials are for those endpoints; without them nothing is sent but the data.
	Credentials *Credentials `json:"credentials,omitempty"`
	TLS         TLS          `json:"tls,omitzero"`

	Queue Queue `json:"queue"`
	// MemoryMiB is what the whole process may take; 0 means 120, and 400 for ClusterStats, which
	// knows all objects of a cluster.
	MemoryMiB int `json:"memoryMiB,omitempty"`
	// Listen is the address on which applications' telemetry is taken; empty means all addresses
	// of the pod, and that Management takes none.
	Listen string `json:"listen,omitempty"`
	Ports  Ports  `json:"ports,omitzero"`

	// Sampling keeps a part of the traces; nil keeps all. A trace has spans of several nodes, so
	// Daemons send theirs to the one that decides, at Gateway: a ClusterStats.
	Sampling *Sampling `json:"sampling,omitempty"`
	Gateway  string    `json:"gateway,omitempty"`

	// Targets, Files and Kubernetes are for Management alone: programs of the plane with metrics,
	// their logs, and whether the KUBECONFIG in the environment leads to an API server.
	Targets    []Target   `json:"targets,omitempty"`
	Files      []LogFiles `json:"files,omitempty"`
	Kubernetes bool       `json:"kubernetes,omitempty"`
}

// Endpoints are URLs: that of Prometheus' remote write, and those of OTLP over HTTP with their
// whole paths.
type Endpoints struct {
	Metrics   string `json:"metrics,omitempty"`
	Logs      string `json:"logs,omitempty"`
	AuditLogs string `json:"auditLogs,omitempty"`
	Traces    string `json:"traces,omitempty"`
}

// Credentials name the variables of the environment that hold them.
type Credentials struct {
	UserFrom     string `json:"userFrom,omitempty"`
	PasswordFrom string `json:"passwordFrom,omitempty"`
}

// TLS says how endpoints are verified.
type TLS struct {
	CAFile             string `json:"caFile,omitempty"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty"`
}

// Queue is where telemetry waits. Directory is on a disk that outlives the collector; MiB bounds
// each signal, and 0 means 512.
type Queue struct {
	Directory string `json:"directory"`
	MiB       int    `json:"miB,omitempty"`
}

// Ports that the collector listens on; 0 means the usual one. Write is the way from the queue of
// metrics to their exporter, on the loopback only.
type Ports struct {
	GRPC      int `json:"grpc,omitempty"`
	HTTP      int `json:"http,omitempty"`
	Write     int `json:"write,omitempty"`
	Health    int `json:"health,omitempty"`
	Telemetry int `json:"telemetry,omitempty"`
}

// Sampling says which traces are kept: those with an error, those that took longer than
// SlowMilliseconds where that is set, and Percent of the others.
type Sampling struct {
	Percent          float64 `json:"percent"`
	SlowMilliseconds int     `json:"slowMilliseconds,omitempty"`
}

// Target is a program of the management plane that has metrics.
type Target struct {
	Job     string `json:"job"`
	Address string `json:"address"`
	// Scheme and Path are http and /metrics where they are empty.
	Scheme string `json:"scheme,omitempty"`
	Path   string `json:"path,omitempty"`
	// TokenFile, CertFile, KeyFile and CAFile are how the program is asked, and known.
	TokenFile string `json:"tokenFile,omitempty"`
	CertFile  string `json:"certFile,omitempty"`
	KeyFile   string `json:"keyFile,omitempty"`
	CAFile    string `json:"caFile,omitempty"`
	// Interval is how often it is asked, such as 30s, which is also what empty means.
	Interval string `json:"interval,omitempty"`
	// Drop is a regular expression over the whole names of those metrics that are left out.
	Drop string `json:"drop,omitempty"`
}

// LogFiles are the log files of a program; of several, each of which its file NAME.log names, where
// Program is empty. Files that match Exclude are not read.
type LogFiles struct {
	Program string   `json:"program,omitempty"`
	Pattern string   `json:"pattern"`
	Exclude []string `json:"exclude,omitempty"`
}

var variable = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// complete returns the facts with the defaults in the place of what was not said.
func (f Facts) complete() Facts {
	if f.Tenant == "" && f.Role != Management {
		f.Tenant = string(store.Platform)
	}
	f.MemoryMiB = or(f.MemoryMiB, map[Role]int{ClusterStats: 400}[f.Role])
	f.MemoryMiB = or(f.MemoryMiB, 120)
	f.Queue.MiB = or(f.Queue.MiB, 512)
	f.Ports.GRPC = or(f.Ports.GRPC, 4317)
	f.Ports.HTTP = or(f.Ports.HTTP, 4318)
	f.Ports.Write = or(f.Ports.Write, 14318)
	f.Ports.Health = or(f.Ports.Health, 13133)
	f.Ports.Telemetry = or(f.Ports.Telemetry, 8888)
	if f.Listen == "" && f.Role != Management {
		f.Listen = "0.0.0.0"
	}
	if f.Credentials != nil {
		f.Credentials = &Credentials{UserFrom: f.Credentials.UserFrom, PasswordFrom: f.Credentials.PasswordFrom}
		if f.Credentials.UserFrom == "" {
			f.Credentials.UserFrom = User
		}
		if f.Credentials.PasswordFrom == "" {
			f.Credentials.PasswordFrom = Password
		}
	}
	return f
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// check says what is wrong with complete facts.
func (f Facts) check() error {
	switch f.Role {
	case Daemon, ClusterStats, Management:
	default:
		return invalid("role", "is %q, expected %s, %s or %s", f.Role, Daemon, ClusterStats, Management)
	}
	if f.Cluster == "" {
		return invalid("cluster", "is empty, expected the name of the cluster")
	}
	if _, err := store.ParseTenant(f.Tenant); err != nil {
		return fmt.Errorf("configuration of the collector: %w", err)
	}
	if !path.IsAbs(f.Queue.Directory) {
		return invalid("queue.directory", "is %q, expected an absolute path", f.Queue.Directory)
	}
	// Below that, the collector would refuse its own first telemetry.
	if f.MemoryMiB < 64 {
		return invalid("memoryMiB", "is %d, expected at least 64", f.MemoryMiB)
	}
	if f.Queue.MiB < 1 {
		return invalid("queue.miB", "is %d, expected at least 1", f.Queue.MiB)
	}
	for _, check := range []func() error{f.checkEndpoints, f.checkCredentials, f.checkSampling, f.checkPlane} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (f Facts) checkEndpoints() error {
	none := true
	for _, e := range []struct{ field, url string }{
		{"write.metrics", f.Write.Metrics}, {"write.logs", f.Write.Logs},
		{"write.auditLogs", f.Write.AuditLogs}, {"write.traces", f.Write.Traces},
	} {
		if e.url == "" {
			continue
		}
		none = false
		u, err := url.Parse(e.url)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return invalid(e.field, "is %q, expected an absolute URL of http or https", e.url)
		case u.User != nil:
			return invalid(e.field, "holds credentials: name the variables that hold them in credentials")
		}
	}
	if none {
		return invalid("write", "names no endpoint, expected at least one")
	}
	return nil
}

func (f Facts) checkCredentials() error {
	if f.Credentials == nil {
		return nil
	}
	for _, v := range []struct{ field, name string }{
		{"credentials.userFrom", f.Credentials.UserFrom}, {"credentials.passwordFrom", f.Credentials.PasswordFrom},
	} {
		if !variable.MatchString(v.name) {
			return invalid(v.field, "is %q, expected the name of a variable such as %s", v.name, User)
		}
	}
	return nil
}

func (f Facts) checkSampling() error {
	s := f.Sampling
	if s == nil {
		return nil
	}
	switch {
	case s.Percent < 0 || s.Percent > 100:
		return invalid("sampling.percent", "is %v, expected 0 to 100", s.Percent)
	case s.SlowMilliseconds < 0:
		return invalid("sampling.slowMilliseconds", "is %d, expected 0 or more", s.SlowMilliseconds)
	case f.Role == Daemon && f.Gateway == "":
		return invalid("gateway", "is empty: with sampling, a daemon needs the host and port of the %s collector", ClusterStats)
	}
	return nil
}

func (f Facts) checkPlane() error {
	if f.Role != Management && (len(f.Targets) > 0 || len(f.Files) > 0 || f.Kubernetes) {
		return invalid("targets, files and kubernetes", "are for role %s alone", Management)
	}
	if f.Role == Management && f.Listen == "" && f.Write.Metrics == "" && f.Write.Logs == "" {
		return invalid("listen", "is empty, expected an address: only traces are to be sent, and who makes them has to reach the collector")
	}
	jobs := map[string]bool{ownJob: true}
	for _, t := range f.Targets {
		if t.Job == "" || t.Address == "" || jobs[t.Job] {
			return invalid("targets", "hold job %q at %q: each needs a name of its own, and an address", t.Job, t.Address)
		}
		jobs[t.Job] = true
		if err := t.check(); err != nil {
			return err
		}
	}
	programs := map[string]bool{}
	for _, l := range f.Files {
		if !path.IsAbs(l.Pattern) || programs[l.Program] {
			return invalid("files", "hold program %q with %q: each needs a name of its own, and an absolute pattern", l.Program, l.Pattern)
		}
		programs[l.Program] = true
	}
	return nil
}

func (t Target) check() error {
	if t.Scheme != "" && t.Scheme != "http" && t.Scheme != "https" {
		return invalid("targets", "ask %q by %q, expected http or https", t.Job, t.Scheme)
	}
	if every, err := model.ParseDuration(t.every()); err != nil || time.Duration(every) < time.Second {
		return invalid("targets", "ask %q every %q, expected a second or more, such as 30s", t.Job, t.Interval)
	}
	if _, err := regexp.Compile(t.Drop); err != nil {
		return invalid("targets", "drop of %q the metrics %q, expected a regular expression: %v", t.Job, t.Drop, err)
	}
	return nil
}

func (t Target) every() string {
	if t.Interval == "" {
		return "30s"
	}
	return t.Interval
}

func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: configuration of the collector: %s %s", fleet.ErrInvalid, field, fmt.Sprintf(format, args...))
}
