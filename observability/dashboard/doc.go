// Package dashboard makes Portico's dashboards for Grafana.
//
//	reads   nothing
//	writes  nothing: All returns them, Dashboard.JSON is a file of deploy/dashboards
//	never   leaves out whose series are shown: every selector names the tenant and the cluster, or
//	        the region, so that two clusters are never added up by chance
//
// They work with any Prometheus data source: Portico's own API, VictoriaMetrics, Prometheus. They
// read what the collectors write, what Portico exports (alert.Metrics), and the recorded series of
// alert.Defaults.
//
// Begin with All; go test ./observability/dashboard -update writes the files.
package dashboard
