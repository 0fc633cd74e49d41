package collect

import (
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/yaml"
)

// object is a mapping of the collector's configuration, in the collector's own words.
type object = map[string]any

// Config returns the configuration for the facts. The error is of kind fleet.ErrInvalid.
func Config(f Facts) ([]byte, error) {
	f = f.complete()
	if err := f.check(); err != nil {
		return nil, err
	}
	c := &config{Facts: f, receivers: object{}, processors: object{}, exporters: object{}, extensions: object{}, pipelines: object{}}
	switch f.Role {
	case Daemon:
		c.daemon()
	case ClusterStats:
		c.clusterStats()
	case Management:
		c.management()
	}
	c.base()
	text, err := yaml.Marshal(c.document())
	if err != nil {
		return nil, fmt.Errorf("writing the configuration of the collector: %w", err)
	}
	return text, nil
}

// Arguments are those of portico-collector for the configuration of the facts in a file.
func Arguments(f Facts, file string) []string {
	// Without the gate, metrics are thrown away when a store says "too many requests".
	gates := "exporter.prometheusremotewritexporter.RetryOn429"
	if f.Role == Management {
		// Without it, lines are noted as read a tenth of a second before they are in the queue. What reads the
		// logs of pods would hand them over line by line, which a node has too many of.
		gates += ",stanza.synchronousLogEmitter"
	}
	return []string{"--config=file:" + file, "--feature-gates=" + gates}
}

// Environment is what the process needs beside credentials and names of the node, so that it stays
// in the memory that the facts allow.
func Environment(f Facts) []string {
	f = f.complete()
	return []string{fmt.Sprintf("GOMEMLIMIT=%dMiB", f.MemoryMiB*3/4), "GOGC=50"}
}

// config grows while the parts of a role are added.
type config struct {
	Facts
	receivers, processors, exporters, extensions, pipelines object
}

func (c *config) document() object {
	extensions := []string{"health_check"}
	for _, name := range []string{"basicauth/store", await, storage, offsets} {
		if c.extensions[name] != nil {
			extensions = append(extensions, name)
		}
	}
	return object{
		"receivers":  c.receivers,
		"processors": c.processors,
		"exporters":  c.exporters,
		"extensions": c.extensions,
		"service": object{
			"extensions": extensions,
			"pipelines":  c.pipelines,
			"telemetry":  c.telemetry(),
		},
	}
}

// telemetry is the collector's about itself: metrics that it offers to a scraper, and logs of
// what matters to an operator.
func (c *config) telemetry() object {
	pull := object{"exporter": object{"prometheus": object{
		"host": c.host(), "port": c.Ports.Telemetry, "without_scope_info": true,
		// Such as otelcol_exporter_queue_size: the names that dashboards of the collector know.
		"without_type_suffix": true, "without_units": true,
	}}}
	resource := object{"k8s.cluster.name": literal(c.Cluster)}
	if c.Tenant != "" {
		resource["tenant"] = c.Tenant
	}
	return object{
		"metrics":  object{"level": "normal", "readers": []any{object{"pull": pull}}},
		"logs":     object{"level": "info", "encoding": "json"},
		"resource": resource,
	}
}

// host is where the collector listens for those who look after it.
func (c *config) host() string {
	if c.Role == Management {
		return "127.0.0.1"
	}
	return "0.0.0.0"
}

// base adds what all roles have.
func (c *config) base() {
	c.extensions["health_check"] = object{"endpoint": fmt.Sprintf("%s:%d", c.host(), c.Ports.Health)}
	// A third of what the process may take is its code and what the runtime needs: the limiter sees the
	// heap alone.
	limit := c.MemoryMiB * 2 / 3
	c.processors["memory_limiter"] = object{"check_interval": "1s", "limit_mib": limit, "spike_limit_mib": limit / 4}
}

const (
	// storage holds the queues, offsets what of the log files has been read. They are apart since
	// a lock of one must not stop the other.
	storage = "file_storage/exporters"
	offsets = "file_storage/filelog"
)

// disk adds the storage of that name, once.
func (c *config) disk(name string) {
	folder := path.Join(c.Queue.Directory, path.Base(name)+"-"+string(c.Role))
	s := object{
		"directory":        literal(folder),
		"create_directory": true,
		"timeout":          "10s",
		// After an outage the file would keep the size to which it grew.
		"compaction": object{
			"directory": literal(folder), "on_start": true, "on_rebound": true, "cleanup_on_start": true,
			"rebound_needed_threshold_mib": 64, "rebound_trigger_threshold_mib": 8, "check_interval": "30s",
		},
	}
	c.extensions[name] = s
}

// pipeline adds a way from receivers to an exporter. All begin with the limiter: what it refuses,
// receivers offer again.
func (c *config) pipeline(name string, receivers []string, processors []string, exporter string) {
	c.pipelines[name] = object{
		"receivers":  receivers,
		"processors": append([]string{"memory_limiter"}, processors...),
		"exporters":  []string{exporter},
	}
}

// literal is a text in which the collector finds no variable.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// env is the value of a variable of the environment.
func env(name string) string { return "${env:" + name + "}" }
