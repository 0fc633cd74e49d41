// Package remote speaks the HTTP API of Prometheus and its remote write, which VictoriaMetrics
// and most other stores of metrics speak as well. What a particular store does in its own way is
// in that store's package.
//
// Answers are read as they arrive, and no further than the limits allow. It never changes a
// question: whose data a question sees is decided before it comes here. Begin with API.
package remote
