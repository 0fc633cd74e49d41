package collect

import "fmt"

// Exporters, as k0rdent calls them.
const (
	metricsExporter = "prometheusremotewrite"
	logsExporter    = "otlphttp/logs"
	auditExporter   = "otlphttp/logs-audit"
	tracesExporter  = "otlphttp/traces"
	gatewayExporter = "otlphttp/gateway"
	// metricsQueue is where metrics wait.
	metricsQueue = "otlphttp/metrics-queue"
)

// await is our own extension of the collector: what a store refuses with 401 is sent again. Whoever
// sends may start before the store knows them.
const await = "await_credentials"

// patience is for how long one attempt to send is waited for.
const patience = "15s"

// sendMetrics adds the way of metrics to the store, and returns its entry for pipelines.
//
// Upstream's exporter of remote write has no queue on disk. So metrics are queued by one that has, which
// sends them to a receiver of the same process, from where they go to the store while the sender
// waits. Its answer says whether the store has them:
//
//   - An attempt that fails keeps its request open for longer than the sender waits (initial_interval).
//     To the sender that is a timeout, after which it tries again, forever. An error in
//     the answer would make it drop the data, and upstream retries without a pause after the first one.
//   - What the store refuses as wrong (4xx) is answered as such, and dropped. Behind await, 401 is none of these.
func (c *config) sendMetrics() string {
	local := fmt.Sprintf("127.0.0.1:%d", c.Ports.Write)
	queue := c.queue(sizes{least: 2000, most: 8000})
	// Samples of a series have to arrive in their order: a Prometheus refuses others.
	queue["num_consumers"] = 1
	c.exporters[metricsQueue] = object{
		"endpoint": "http://" + local, "compression": "none", "timeout": patience,
		"sending_queue": queue, "retry_on_failure": retry(),
	}
	c.receivers["otlp/metrics-queue"] = object{"protocols": object{"http": object{"endpoint": local}}}

	e := c.client(c.Write.Metrics)
	e["timeout"] = "60s"
	e["remote_write_queue"] = object{"enabled": false}
	e["retry_on_failure"] = object{
		"enabled": true, "initial_interval": "60s", "max_interval": "60s", "randomization_factor": 0, "max_elapsed_time": "0s",
	}
	e["external_labels"] = c.identity("cluster", "clusterNamespace")
	e["target_info"] = object{"enabled": false}
	e["disable_scope_info"] = true
	c.exporters[metricsExporter] = e
	// Not behind the limiter: what is refused here would be read from the disk again at once.
	c.pipelines["metrics/write"] = object{"receivers": []string{"otlp/metrics-queue"}, "exporters": []string{metricsExporter}}
	return metricsQueue
}

// sendLogs adds an exporter of log records. When its queue is full, it makes the reader of files
// wait: what is not read stays where it was written.
func (c *config) sendLogs(name, endpoint string) string {
	e := c.otlp("logs_endpoint", endpoint, sizes{least: 1000, most: 4000})
	e["sending_queue"].(object)["block_on_overflow"] = true
	c.exporters[name] = e
	return name
}

func (c *config) sendTraces() string {
	if c.Role == Daemon && c.Sampling != nil {
		// The one that samples decides by whole traces, and needs no name of the cluster twice.
		c.disk(storage)
		c.exporters[gatewayExporter] = object{
			"endpoint": "http://" + literal(c.Gateway), "timeout": patience,
			"sending_queue": c.queue(sizes{least: 500, most: 2000}), "retry_on_failure": retry(),
		}
		return gatewayExporter
	}
	c.exporters[tracesExporter] = c.otlp("traces_endpoint", c.Write.Traces, sizes{least: 500, most: 2000})
	return tracesExporter
}

// otlp is an exporter to one path of a store.
func (c *config) otlp(field, endpoint string, s sizes) object {
	e := c.client(endpoint)
	delete(e, "endpoint")
	e[field] = literal(endpoint)
	e["compression"] = "gzip"
	e["timeout"] = patience
	e["sending_queue"] = c.queue(s)
	e["retry_on_failure"] = retry()
	return e
}

// client is how a store is spoken to.
func (c *config) client(endpoint string) object {
	e := object{"endpoint": literal(endpoint)}
	tls := object{}
	if c.TLS.CAFile != "" {
		tls["ca_file"] = literal(c.TLS.CAFile)
	}
	if c.TLS.InsecureSkipVerify {
		tls["insecure_skip_verify"] = true
	}
	if len(tls) > 0 {
		e["tls"] = tls
	}
	if c.Credentials != nil {
		c.extensions["basicauth/store"] = object{"client_auth": object{
			"username": env(c.Credentials.UserFrom), "password": env(c.Credentials.PasswordFrom),
		}}
		e["auth"] = object{"authenticator": "basicauth/store"}
		c.extensions[await] = object{}
		e["middlewares"] = []any{object{"id": await}}
	}
	return e
}

// sizes are of batches, in samples, records or spans.
type sizes struct{ least, most int }

// queue is on disk. Batches are made of what comes out of it, not of what goes in, so that nothing is in
// memory alone once a receiver has handed it over.
func (c *config) queue(s sizes) object {
	c.disk(storage)
	return object{
		"enabled": true, "storage": storage, "num_consumers": 2,
		"sizer": "bytes", "queue_size": c.Queue.MiB << 20,
		"batch": object{"sizer": "items", "flush_timeout": "1s", "min_size": s.least, "max_size": s.most},
	}
}

// retry is forever: the queue decides what is too much, not the time that an outage takes.
func retry() object {
	return object{"enabled": true, "initial_interval": "1s", "max_interval": "10s", "max_elapsed_time": "0s"}
}

// identity says whose telemetry it is, under the given names for cluster and namespace.
func (c *config) identity(cluster, namespace string) object {
	id := object{cluster: literal(c.Cluster)}
	if c.Tenant != "" {
		id["tenant"] = c.Tenant
	}
	if c.Namespace != "" {
		id[namespace] = literal(c.Namespace)
	}
	return id
}
