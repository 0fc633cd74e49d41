package telemetry

import (
	"fmt"
	"net"
	neturl "net/url"
	"path/filepath"
	"strconv"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/config"
	"portico.dev/portico/observability/collect"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/topology"
)

// Collector is the plane's own collector, among the programs and before the stores: it may write
// there, and nothing else.
const Collector = "portico-collector"

// FleetPath and ProgramsPath are where the plane tells of its fleet and, with the name of a program
// behind it, what that program says of itself. Under MetricsPath it tells of itself.
const (
	MetricsPath  = "/metrics"
	FleetPath    = MetricsPath + "/fleet"
	ProgramsPath = MetricsPath + "/of/"
)

// Watched is what the collector looks at, beside the programs of the Site.
type Watched struct {
	// Cluster and Namespace are the management cluster, as telemetry calls it.
	Cluster, Namespace string
	// Client is the file with the certificate and key by which it asks, Kubeconfig the one by
	// which it reads events.
	Client, Kubeconfig string
	// Programs are those whose metrics the plane tells, beside the stores.
	Programs []string
}

// Accesses are the users of the stores that there always are: the plane, and its collector.
func (s Site) Accesses() ([]topology.Access, error) {
	own, err := s.Password()
	if err != nil {
		return nil, err
	}
	writes, err := secret(filepath.Join(s.dir(Collector), "password"))
	if err != nil {
		return nil, err
	}
	return []topology.Access{
		{User: User, Passwords: []string{own}},
		{User: Collector, Passwords: []string{writes}, Tenant: store.Plane, WriteOnly: true},
	}, nil
}

// Told are the stores that tell of themselves, by the address of their metrics. It is a secret: vmauth, whose
// users are those of the stores, wants the plane's password there.
func (s Site) Told() (map[string]string, error) {
	password, err := s.Password()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, base := range map[string]string{
		Metrics: s.MetricsURL(), Records: s.RecordsURL(), Door: s.DoorURL(), Rules: s.RulesURL(), Alerts: s.AlertsURL(),
	} {
		out[name] = base + "/metrics"
	}
	out[Door] += "?authKey=" + neturl.QueryEscape(password)
	return out, nil
}

// Collect writes what the collector needs and returns it.
func (s Site) Collect(w Watched) (Program, error) {
	facts := s.collected(w)
	text, err := collect.Config(facts)
	if err != nil {
		return Program{}, err
	}
	dir := s.dir(Collector)
	file := filepath.Join(dir, "config.yaml")
	if err := folder.WriteFile(file, text); err != nil {
		return Program{}, fmt.Errorf("preparing the collector: %w", err)
	}
	password, err := secret(filepath.Join(dir, "password"))
	if err != nil {
		return Program{}, err
	}
	return Program{
		Name: Collector, Path: s.collectorFile(), Dir: dir, Args: collect.Arguments(facts, file), Inputs: []string{file},
		Variables: append(collect.Environment(facts), "KUBECONFIG="+w.Kubeconfig, collect.User+"="+Collector, collect.Password+"="+password),
		Health:    "http://" + net.JoinHostPort(config.Loopback, strconv.Itoa(s.Ports.CollectorHealth)) + "/",
	}, nil
}

func (s Site) collectorFile() string { return filepath.Join(s.Bin, Collector) }

func (s Site) collected(w Watched) collect.Facts {
	to := topology.EndpointsAt(s.DoorURL())
	own := net.JoinHostPort(config.Loopback, strconv.Itoa(s.Ports.Own))
	at := func(job, address, path string) collect.Target {
		return collect.Target{Job: job, Address: address, Scheme: "https", Path: path, CertFile: w.Client, KeyFile: w.Client, CAFile: s.Authority, Drop: buckets}
	}
	server := at("apiserver", net.JoinHostPort(s.Ports.Host, strconv.Itoa(s.Ports.API)), MetricsPath)
	server.Interval, server.Drop = "1m", serverBuckets
	targets := []collect.Target{server, at("portico", own, MetricsPath), at("portico-fleet", own, FleetPath)}
	for _, name := range append([]string{Metrics, Records, Door, Rules, Alerts}, w.Programs...) {
		targets = append(targets, at(name, own, ProgramsPath+name))
	}
	return collect.Facts{
		Role: collect.Management, Cluster: w.Cluster, Namespace: w.Namespace, Tenant: string(store.Plane), MemoryMiB: memory,
		Write:       collect.Endpoints{Metrics: to.WriteMetrics, Logs: to.WriteLogs},
		Credentials: &collect.Credentials{}, TLS: collect.TLS{CAFile: s.Authority},
		Queue:   collect.Queue{Directory: filepath.Join(s.dir(Collector), "queue")},
		Ports:   collect.Ports{Write: s.Ports.CollectorQueue, Health: s.Ports.CollectorHealth, Telemetry: s.Ports.CollectorMetrics},
		Targets: targets, Kubernetes: true,
		// Its own log would grow by what it says about sending its log.
		Files: []collect.LogFiles{{Pattern: s.Folder.Log("*"), Exclude: []string{s.Folder.Log(Collector)}}},
	}
}

// memory is what is planned with, in MiB: the pages of its program come on top.
const memory = 80

// What is told in hundreds of series, and asked by nobody: how long requests took, by each of them.
const (
	buckets       = "(rest_client|go_gc|go_sched|vm_http|certwatcher)_.*_bucket"
	serverBuckets = "(apiserver|etcd|rest_client|workqueue|storage|authentication|authorization|watch_cache|field_validation|go|kubernetes_feature)_.*_bucket" +
		"|kubernetes_feature_enabled|apiserver_(storage_objects_info|cel_.*|flowcontrol_.*|longrunning_.*)|(node_collector|endpoint_slice_controller|garbagecollector_controller)_.*"
)
