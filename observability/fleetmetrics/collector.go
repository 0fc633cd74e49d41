package fleetmetrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// counter is the kind of a metric that only grows, as alert.Metrics calls it.
const counter = "counter"

// Most is how many conditions are told at most.
const Most = 50_000

// Reader returns what is known now. It may be called concurrently. With an error nothing is told: an
// answer that lacks a part would be taken for a fleet that does.
type Reader func() (Snapshot, error)

// Collector tells Prometheus what a Reader returns.
type Collector struct {
	read  Reader
	descs map[string]*prometheus.Desc
	kinds map[string]prometheus.ValueType
}

// New returns a collector of what read returns.
func New(read Reader) *Collector {
	c := &Collector{read: read, descs: map[string]*prometheus.Desc{}, kinds: map[string]prometheus.ValueType{}}
	for name, s := range shapes(Kinds()) {
		c.descs[name] = prometheus.NewDesc(name, s.help, s.labels, nil)
		c.kinds[name] = prometheus.GaugeValue
		if s.kind == counter {
			c.kinds[name] = prometheus.CounterValue
		}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s, err := c.read()
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.descs[leftOut], fmt.Errorf("reading what is known of the fleet: %w", err))
		return
	}
	for _, m := range Samples(s, Most) {
		metric, err := prometheus.NewConstMetric(c.descs[m.Metric], c.kinds[m.Metric], m.Value, m.Labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(c.descs[m.Metric], err)
		}
		out <- metric
	}
}
