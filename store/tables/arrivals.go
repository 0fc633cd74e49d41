package tables

import (
	"encoding/hex"
	"iter"
	"slices"
	"strings"
	"time"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/wire"
)

// Arrivals are the records of a batch that match a search, whatever their time is, in the order in which
// they were sent. What SearchLogs says of them later, it says now.
func (s LogSearch) Arrivals(b *row.Batch) iter.Seq[wire.Record] {
	return func(yield func(wire.Record) bool) {
		if !s.In.Everybody && s.In.Tenant != b.Tenant {
			return
		}
		a := arriving{LogSearch: s, batch: b, streams: map[int32]streamVerdict{}}
		for _, text := range s.Text {
			a.texts = append(a.texts, strings.ToLower(text))
		}
		for i := range b.Logs {
			if l := &b.Logs[i]; a.matches(l) && !yield(a.record(l)) {
				return
			}
		}
	}
}

// streamVerdict says which matchers are left to the rows of a stream; nothing of it is wanted where ok is false.
type streamVerdict struct {
	open uint64
	ok   bool
}

type arriving struct {
	LogSearch
	batch   *row.Batch
	texts   []string // in lower case
	streams map[int32]streamVerdict
}

func (a *arriving) matches(l *row.Log) bool {
	if int(l.Severity) < a.Severity {
		return false
	}
	v, known := a.streams[l.Stream]
	if !known {
		v.open, v.ok = judge(a.Labels, a.batch.Streams[l.Stream], a.carried)
		a.streams[l.Stream] = v
	}
	if !v.ok {
		return false
	}
	for i, m := range a.Labels {
		if v.open&(1<<i) != 0 && !m.matchesRow(l.Attributes) {
			return false
		}
	}
	return a.saysAll(l.Body)
}

func (a *arriving) carried(name string) bool {
	_, has := a.batch.Names[name]
	return has
}

func (a *arriving) saysAll(body string) bool {
	if len(a.texts) == 0 {
		return true
	}
	body = strings.ToLower(body)
	return !slices.ContainsFunc(a.texts, func(text string) bool { return !strings.Contains(body, text) })
}

func (a *arriving) record(l *row.Log) wire.Record {
	return wire.Record{
		Time: time.Unix(0, l.Time).UTC(), Tenant: a.batch.Tenant, Severity: int(l.Severity), Body: l.Body,
		Resource: a.batch.Streams[l.Stream].Map(), Attributes: l.Attributes.Map(),
		TraceID: hex.EncodeToString([]byte(l.Trace)), SpanID: hex.EncodeToString([]byte(l.Span)),
	}
}

// matchesRow is onRow without the database.
func (m Matcher) matchesRow(attributes row.Attributes) bool {
	names := spellings(m.Name)
	if m.Op == Like || m.Op == NotLike {
		for name, value := range attributes.All() {
			if slices.Contains(names, name) {
				return m.matches(value)
			}
		}
		return m.matches("")
	}
	equal, absent := false, true
	for _, name := range names {
		value, has := attributes.Get(name)
		equal, absent = equal || has && value == m.Value, absent && !has
	}
	return (equal || absent && m.Value == "") == (m.Op == Equal)
}
