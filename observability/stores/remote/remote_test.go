package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

func decodeResult(text string, at store.Limits) (reply, error) {
	d := newDecoder(strings.NewReader(text), at)
	return d.envelope(d.result)
}

func TestResults(t *testing.T) {
	for _, c := range []struct {
		why, text string
		at        store.Limits
		want      string
		err       string
	}{
		{"a vector", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"b":"2","a":"1"},"value":[1.5,"3"]}]}}`, store.Limits{}, `{a="1", b="2"} [{1500 3}]`, ""},
		{"a matrix with spaces, in another order", "{\n \"data\": {\"result\": [ {\"values\": [[1, \"1\"], [2, \"+Inf\"]], \"metric\": {}} ], \"resultType\": \"matrix\"}, \"status\": \"success\"}", store.Limits{}, `{} [{1000 1} {2000 +Inf}]`, ""},
		{"a scalar", `{"status":"success","data":{"resultType":"scalar","result":[12.345,"-Inf"]}}`, store.Limits{}, `{} [{12345 -Inf}]`, ""},
		{"what is not a number", `{"data":{"result":[{"metric":{},"value":[1,"NaN"]}]}}`, store.Limits{}, `{} [{1000 NaN}]`, ""},
		{"escapes", `{"data":{"result":[{"metric":{"a":"\u00fc\n\"\ud83d\ude00\\"},"value":[1,"1"]}]}}`, store.Limits{}, `{a="ü\n\"😀\\"} [{1000 1}]`, ""},
		{"fields that are not known", `{"stats":{"x":[1,{"y":null}]},"isPartial":false,"data":{"result":[{"metric":{},"value":[1,"1"],"z":true}]}}`, store.Limits{}, `{} [{1000 1}]`, ""},
		{"histograms alone", `{"data":{"result":[{"metric":{},"histogram":[1,{"count":"3"}]}]}}`, store.Limits{}, ``, ""},
		{"nothing", `{"status":"success","data":null}`, store.Limits{}, ``, ""},
		{"too many series", `{"data":{"result":[{"metric":{"a":"1"},"value":[1,"1"]},{"metric":{"a":"2"},"value":[1,"1"]}]}}`, store.Limits{Series: 1}, "", "more than 1 series"},
		{"too many samples", `{"data":{"result":[{"metric":{},"values":[[1,"1"],[2,"2"]]}]}}`, store.Limits{Samples: 1}, "", "more than 1 samples"},
		{"cut off", `{"status":"success","data":{"result":[{"metric":{"a":"`, store.Limits{}, "", "unexpected EOF"},
		{"another form", `<html>`, store.Limits{}, "", "expected '{'"},
		{"no number", `{"data":{"result":[{"metric":{},"value":[1,"x"]}]}}`, store.Limits{}, "", `"x" is not a number`},
		{"no time", `{"data":{"result":[{"metric":{},"value":[1e300,"1"]}]}}`, store.Limits{}, "", "is not one in seconds"},
		{"too deep", `{"x":` + strings.Repeat("[", 100), store.Limits{}, "", "too deep"},
	} {
		got, err := decodeResult(c.text, c.at)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.why, err, c.err)
			}
			continue
		}
		var lines []string
		for _, s := range got.answer.Series {
			lines = append(lines, fmt.Sprint(s.Labels, " ", s.Samples))
		}
		if diff := cmp.Diff(c.want, strings.Join(lines, "\n")); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.why, err, diff)
		}
	}
}

func TestLines(t *testing.T) {
	text := `{"metric":{"a":"1"},"values":[3,null],"timestamps":[30,40]}
{"metric":{"b":"1"},"values":["Infinity",-1.5e-3],"timestamps":[1,2]}
{"metric":{"a":"1"},"values":[1,2,4],"timestamps":[10,20,30]}
`
	got, err := Lines(strings.NewReader(text), store.Limits{})
	want := `[{{a="1"} [{10 1} {20 2} {30 4} {40 NaN}]} {{b="1"} [{1 +Inf} {2 -0.0015}]}]`
	if diff := cmp.Diff(want, fmt.Sprint(got)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, at := range []store.Limits{{Series: 1}, {Samples: 6}} {
		if _, err := Lines(strings.NewReader(text), at); !errors.Is(err, store.ErrTooMuch) {
			t.Errorf("limits %v: %v", at, err)
		}
	}
}

// The kind of an error comes from the status; what the server says is kept, and the password is not.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   error
		text   string
	}{
		{400, `{"status":"error","errorType":"bad_data","error":"it does not parse"}`, fleet.ErrInvalid, "it does not parse"},
		{422, `{"error":"too many samples"}`, fleet.ErrInvalid, "too many samples"},
		{507, `no room`, store.ErrFull, "no room"},
		{503, `<html>busy`, nil, "busy"},
		{401, ``, nil, "401"},
		{200, `{"status":"error","error":"half way"}`, nil, "half way"},
		{200, `what is this`, nil, "not what Prometheus' API answers"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}))
		api, err := New(Config{Read: strings.Replace(server.URL, "http://", "http://me:secret@", 1), Write: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = api.Query(t.Context(), "up", store.Range{Start: time.Unix(1, 0), End: time.Unix(1, 0)}, store.Limits{}, nil)
		server.Close()
		switch {
		case err == nil || !strings.Contains(err.Error(), c.text):
			t.Errorf("%d %s: %v", c.status, c.body, err)
		case errors.Is(err, fleet.ErrInvalid) != (c.kind != nil && errors.Is(c.kind, fleet.ErrInvalid)), c.kind != nil && !errors.Is(err, c.kind):
			t.Errorf("%d %s: the kind of %v", c.status, c.body, err)
		case strings.Contains(err.Error(), "secret"):
			t.Errorf("%v has the password", err)
		}
	}
	for _, c := range []Config{{}, {Read: "ftp://x", Write: "http://x"}, {Read: "http://x", Write: "x"}, {Read: "http://", Write: "http://x"}} {
		if _, err := New(c); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func FuzzResults(f *testing.F) {
	f.Add(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"1"},"value":[1.5,"3"]}]}}`)
	f.Add(`{"status":"success","data":{"resultType":"scalar","result":[1.5,"3"]},"warnings":["x"]}`)
	f.Add(`{"data":{"result":[{"metric":{"\ud800":"\u00zz"},"values":[[1,"NaN"]]}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeResult(text, store.Limits{Series: 100, Samples: 1000})
		if err != nil {
			return
		}
		for _, s := range got.answer.Series {
			if _, twice := s.Labels.HasDuplicateLabelNames(); twice || len(s.Samples) == 0 {
				t.Errorf("%q has the series %v", text, s)
			}
		}
	})
}

// What we read as JSON of the API, the standard library reads in the same way.
func FuzzLines(f *testing.F) {
	f.Add("{\"metric\":{\"a\":\"1\"},\"values\":[3,null],\"timestamps\":[30,40]}\n")
	f.Add("{\"metric\":{},\"values\":[\"Infinity\",-1.5e-3],\"timestamps\":[1,2]}")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Lines(strings.NewReader(text), store.Limits{Series: 100, Samples: 1000})
		if err != nil || len(got) != 1 {
			return
		}
		var want struct {
			Metric     map[string]string
			Values     []any
			Timestamps []int64
		}
		if json.Unmarshal([]byte(text), &want) != nil || len(want.Timestamps) != len(got[0].Samples) {
			return // it reads what is cut off or written twice in its own way
		}
		for i, s := range got[0].Samples {
			if v, ok := want.Values[i].(float64); ok && i < len(want.Timestamps) && s.At == want.Timestamps[i] && v != s.Value && !math.IsInf(s.Value, 0) {
				t.Errorf("%q has the value %v, want %v", text, s.Value, v)
			}
		}
		if got[0].Labels.Len() > len(want.Metric) && !labels.Equal(got[0].Labels, labels.FromMap(want.Metric)) {
			t.Errorf("%q has the labels %v, want %v", text, got[0].Labels, want.Metric)
		}
	})
}

// What is read quickly is read as the long way reads it, wherever the pieces of the answer end.
func TestPlainSamples(t *testing.T) {
	for text, want := range map[string][]store.Sample{
		`[1716550800,"0.5"],[1716550860,"-1e3"]`:                             {{At: 1716550800000, Value: 0.5}, {At: 1716550860000, Value: -1000}},
		`[1716550800.5,"1"],[1716550800.25,"2"],[1716550800.125,"3"]`:        {{At: 1716550800500, Value: 1}, {At: 1716550800250, Value: 2}, {At: 1716550800125, Value: 3}},
		`[1716550800.1259,"1"],[1.7165508e9,"2"],[-1.5,"3"],[0,"4"]`:         {{At: 1716550800126, Value: 1}, {At: 1716550800000, Value: 2}, {At: -1500, Value: 3}, {At: 0, Value: 4}},
		` [ 1716550800 , "1" ] , [1716550860,"+Inf"],[1716550920, "\u0032"]`: {{At: 1716550800000, Value: 1}, {At: 1716550860000, Value: math.Inf(1)}, {At: 1716550920000, Value: 2}},
		`[1716550800,"1e999"],[99999999999,"1"],[123456789012,"2"]`:          {{At: 1716550800000, Value: math.Inf(1)}, {At: 99999999999000, Value: 1}, {At: 123456789012000, Value: 2}},
	} {
		whole := `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[` + text + `]}]}}`
		for _, read := range []io.Reader{strings.NewReader(whole), iotest.OneByteReader(strings.NewReader(whole)), iotest.HalfReader(strings.NewReader(whole))} {
			d := newDecoder(read, store.Limits{})
			got, err := d.envelope(d.result)
			if err != nil || len(got.answer.Series) != 1 || !slices.Equal(got.answer.Series[0].Samples, want) {
				t.Errorf("%s: %v, %v; want %v", text, got.answer.Series, err, want)
			}
		}
	}
	for _, bad := range []string{`[1716550800,"x"]`, `[1716550800,""]`, `[1716550800,"1"`, `[,"1"]`, `[1716550800,"1"}`} {
		if got, err := decodeResult(`{"status":"success","data":{"result":[{"metric":{},"values":[`+bad+`]}]}}`, store.Limits{}); err == nil {
			t.Errorf("%s became %v", bad, got.answer.Series)
		}
	}
}

// BenchmarkResults reads an answer of 200 series with 61 samples each.
func BenchmarkResults(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[`)
	for s := range 200 {
		if s > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"metric":{"__name__":"requests_total","job":"j%d","pod":"p%d","tenant":"PLATFORM"},"values":[`, s%10, s)
		for n := range 61 {
			if n > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, `[%d,"%v"]`, 1716550800+60*n, float64(n*(s+1))/7)
		}
		text.WriteString(`]}`)
	}
	text.WriteString(`]}}`)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeResult(text.String(), store.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
