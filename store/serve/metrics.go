package serve

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// metrics count requests.
type metrics struct {
	writes, refused, searches, failed atomic.Int64
}

// serveMetrics answers in Prometheus's text format.
func (h *Handler) serveMetrics(w http.ResponseWriter, _ *http.Request, _ User) {
	s := h.keeper.Stats()
	full := int64(0)
	if s.Full != "" {
		full = 1
	}
	var text strings.Builder
	for _, m := range []struct {
		name, kind, help string
		value            int64
	}{
		{"log_records_total", "counter", "Log records that were kept.", s.Logs},
		{"spans_total", "counter", "Spans that were kept.", s.Spans},
		{"rejected_total", "counter", "Records and spans that were not kept, because they were too old or had no id.", s.Rejected},
		{"write_requests_total", "counter", "Requests to write.", h.metrics.writes.Load()},
		{"write_requests_refused_total", "counter", "Requests to write that were refused.", h.metrics.refused.Load()},
		{"search_requests_total", "counter", "Searches.", h.metrics.searches.Load()},
		{"search_requests_failed_total", "counter", "Searches that ended with an error.", h.metrics.failed.Load()},
		{"transactions_total", "counter", "Transactions that brought rows to the database.", s.Flushes},
		{"transactions_failed_total", "counter", "Transactions that failed and were tried again.", s.Failures},
		{"retention_drops_total", "counter", "How often old rows were dropped.", s.Drops},
		{"database_bytes", "gauge", "Room that rows take.", s.Used},
		{"journal_bytes", "gauge", "Room that the journal takes.", s.Journal},
		{"pending_bytes", "gauge", "Memory of rows that are not in the database yet.", s.Pending},
		{"rows", "gauge", "Rows in the database.", s.Rows},
		{"parts", "gauge", "Parts of the database.", s.Parts},
		{"oldest_timestamp_seconds", "gauge", "Time of the oldest row.", s.Oldest / 1e9},
		{"full", "gauge", "Whether writes are refused because there is no room.", full},
	} {
		fmt.Fprintf(&text, "# HELP portico_store_%s %s\n# TYPE portico_store_%s %s\nportico_store_%s %d\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
	if h.cfg.Metrics != nil {
		h.cfg.Metrics.WriteMetrics(&text)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(text.String()))
}
