package promapi

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
)

// answer is one of success. Data appends its JSON.
type answer struct {
	coverage query.Coverage
	data     func([]byte) []byte
}

func (a answer) write(w http.ResponseWriter) {
	b := append([]byte(nil), `{"status":"success","data":`...)
	b = a.data(b)
	if len(a.coverage.Warnings) > 0 {
		b = append(b, `,"warnings":`...)
		b = wordsOf(a.coverage.Warnings)(b)
	}
	if a.coverage.Partial() {
		b = append(b, `,"partial":true,"missing":`...)
		// Names, times and texts always marshal.
		missing, err := json.Marshal(a.coverage.Missing)
		if err != nil {
			refuse(w, http.StatusInternalServerError, "internal", err)
			return
		}
		b = append(b, missing...)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(b, '}')) // an asker that is gone is told nothing
}

func refuse(w http.ResponseWriter, status int, kind string, err error) {
	b := append([]byte(nil), `{"status":"error","errorType":`...)
	b = quoted(b, kind)
	b = append(b, `,"error":`...)
	b = append(quoted(b, err.Error()), '}')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(b) // an asker that is gone is told nothing
}

// resultOf is the answer to an expression. An instant has one sample of each series, unless it
// asks for a range of them.
func resultOf(r query.Result, on store.Range) func([]byte) []byte {
	return func(b []byte) []byte {
		kind, ranged := r.Type, on.Step > 0
		if ranged {
			kind = parser.ValueTypeMatrix
		}
		b = append(b, `{"resultType":`...)
		b = quoted(b, string(kind))
		b = append(b, `,"result":`...)
		switch {
		case kind == parser.ValueTypeString:
			b = append(b, '[')
			b = appendTime(b, on.Start.UnixMilli())
			b = append(quoted(append(b, ','), r.Text), ']')
		case kind == parser.ValueTypeScalar && len(r.Series) == 1 && len(r.Series[0].Samples) == 1:
			b = sample(b, r.Series[0].Samples[0])
		default:
			b = listed(b, r.Series, func(b []byte, s store.Series) []byte { return series(b, s, kind) })
		}
		return append(b, '}')
	}
}

func series(b []byte, s store.Series, kind parser.ValueType) []byte {
	b = append(b, `{"metric":`...)
	b = labelSet(b, s.Labels)
	if kind == parser.ValueTypeVector && len(s.Samples) == 1 {
		b = append(b, `,"value":`...)
		b = sample(b, s.Samples[0])
	} else {
		b = append(b, `,"values":`...)
		b = listed(b, s.Samples, sample)
	}
	return append(b, '}')
}

func sample(b []byte, s store.Sample) []byte {
	b = appendTime(append(b, '['), s.At)
	b = append(b, ',', '"')
	switch {
	case math.IsInf(s.Value, 1):
		b = append(b, "+Inf"...)
	case math.IsInf(s.Value, -1):
		b = append(b, "-Inf"...)
	default:
		b = strconv.AppendFloat(b, s.Value, 'f', -1, 64)
	}
	return append(b, '"', ']')
}

// appendTime writes milliseconds as seconds with as many digits as they need.
func appendTime(b []byte, ms int64) []byte {
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
}

func setsOf(sets []labels.Labels) func([]byte) []byte {
	return func(b []byte) []byte { return listed(b, sets, labelSet) }
}

func wordsOf(words []string) func([]byte) []byte {
	return func(b []byte) []byte { return listed(b, words, quoted) }
}

func labelSet(b []byte, set labels.Labels) []byte {
	b = append(b, '{')
	first := true
	set.Range(func(l labels.Label) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = quoted(b, l.Name)
		b = quoted(append(b, ':'), l.Value)
	})
	return append(b, '}')
}

func listed[T any](b []byte, all []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, x := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, x)
	}
	return append(b, ']')
}

// quoted writes a string as JSON. Most need no escapes, and are not handed to the encoder.
func quoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			if err != nil { // a string always marshals
				return append(b, `""`...)
			}
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
