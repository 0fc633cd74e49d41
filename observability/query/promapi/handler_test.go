package promapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/promapi"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// serve serves two regions, in which both tenants have series. The header X-Who says who asks.
func serve(t testing.TB) *httptest.Server {
	t.Helper()
	var regions []query.Region
	for _, name := range []string{"eu", "us"} {
		m := storetest.NewMemory()
		for of, series := range storetest.TwoTenants(noon) {
			if err := m.Write(t.Context(), of, series); err != nil {
				t.Fatal(err)
			}
		}
		regions = append(regions, query.Region{Name: name, Metrics: m, Labels: labels.FromStrings("region", name)})
	}
	clock := func() time.Time { return noon }
	who := func(r *http.Request) (store.Scope, error) {
		switch r.Header.Get("X-Who") {
		case "a":
			return store.Of(storetest.A), nil
		case "b":
			return store.Of(storetest.B), nil
		case "all":
			return store.Everybody(), nil
		case "nobody":
			return store.Scope{}, nil
		}
		return store.Scope{}, errors.New("sign in first")
	}
	s := httptest.NewServer(promapi.New(query.New(func() []query.Region { return regions }, query.Config{}, clock), who, clock))
	t.Cleanup(s.Close)
	return s
}

// ask sends parameters in the address, in the body, or in both.
func ask(t testing.TB, s *httptest.Server, who, path string, address, body url.Values) (int, string) {
	t.Helper()
	method, reader := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, reader = http.MethodPost, strings.NewReader(body.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path+"?"+address.Encode(), reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("X-Who", who)
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Errorf("%s %s answers what is no JSON: %s", method, path, text)
	}
	return resp.StatusCode, string(text)
}

// foreign are words that only B's data have. A question that was asked may say the tenant's name
// itself, so that it is looked for in the data of an answer alone.
var foreign = []string{storetest.ForeignWord + "job", storetest.ForeignWord + "who", storetest.ForeignWord + "label", storetest.ForeignWord + "value", storetest.ForeignName, string(storetest.B), `"100000`, `"-100000`, `"200000`}

func leak(t *testing.T, text string) string {
	t.Helper()
	var a struct{ Data json.RawMessage }
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	for _, word := range foreign {
		if strings.Contains(string(a.Data), word) {
			return word
		}
	}
	return ""
}

// Nobody of A gets anything of B's, in whichever way it is asked for.
func TestIsolation(t *testing.T) {
	s := serve(t)
	at := fmt.Sprint(noon.Unix())
	ranged := url.Values{"start": {fmt.Sprint(noon.Unix() - 60)}, "end": {at}, "step": {"15"}}
	asked, shown := 0, 0
	try := func(path string, address, body url.Values) {
		t.Helper()
		asked++
		if status, text := ask(t, s, "a", path, address, body); leak(t, text) != "" {
			t.Errorf("%s?%s with %s shows A %q (%d):\n%.600s", path, address.Encode(), body.Encode(), leak(t, text), status, text)
		}
		// B sees its own by the same question, or the test would see nothing either.
		if _, text := ask(t, s, "b", path, address, body); leak(t, text) != "" {
			shown++
		}
	}
	both := func(path string, form url.Values) {
		t.Helper()
		try(path, form, nil)
		if !strings.Contains(path, "/label/") {
			try(path, nil, form)
		}
	}
	own := `shared{tenant="team-a"}`
	for _, trick := range storetest.Tricks() {
		q := url.Values{"query": {trick.Expr}, "time": {at}}
		both("/api/v1/query", q)
		r := url.Values{"query": {trick.Expr}, "start": ranged["start"], "end": ranged["end"], "step": ranged["step"]}
		both("/api/v1/query_range", r)
		// One in the address and one in the body, and two in one place, in both orders.
		try("/api/v1/query", url.Values{"query": {trick.Expr}}, url.Values{"query": {own}, "time": {at}})
		try("/api/v1/query", url.Values{"query": {own}}, url.Values{"query": {trick.Expr}, "time": {at}})
		both("/api/v1/query", url.Values{"query": {own, trick.Expr}, "time": {at}})
		both("/api/v1/query", url.Values{"query": {trick.Expr, own}, "time": {at}, "match[]": {`{tenant="team-b"}`}})
	}
	for _, selector := range []string{
		`{tenant="team-b"}`, `{__name__=~".+"}`, storetest.ForeignName, `{tenant!="team-a"}`, `{tenant=~"team-a|team-b"}`,
		`shared{tenant="team-b"}`, `{"shared", "tenant"="team-b"}`, `{tenant=""}`, `{region="eu"}`, `shared or ` + own, own,
	} {
		for _, path := range []string{"/api/v1/series", "/api/v1/labels", "/api/v1/label/job/values", "/api/v1/label/tenant/values", "/api/v1/label/__name__/values", "/api/v1/label/" + storetest.ForeignWord + "label/values", "/api/v1/metadata", "/federate", "/api/v1/federate"} {
			both(path, url.Values{"match[]": {selector}})
			both(path, url.Values{"match[]": {own, selector}})
			both(path, url.Values{"match[]": {selector, own}, "query": {own}, "tenant": {"team-b"}, "extra_label": {"tenant=team-b"}, "extra_filters[]": {`{tenant="team-b"}`}})
			try(path, url.Values{"match[]": {selector}}, url.Values{"match[]": {own}})
			try(path, url.Values{"match[]": {own}}, url.Values{"match[]": {selector}})
			both(path, url.Values{"match": {selector}})
			both(path, nil)
		}
	}
	for _, path := range []string{
		"/api/v1/admin/tsdb/delete_series", "/api/v1/export", "/api/v1/read", "/api/v1/targets", "/api/v1/rules", "/api/v1/alerts", "/api/v1/status/tsdb",
		"/api/v1/status/config", "/api/v1/query_exemplars", "/api/v1/targets/metadata", "/api/v1/label/job/../tenant/values", "/api/v1//series", "/metrics", "/",
	} {
		both(path, url.Values{"match[]": {`{tenant="team-b"}`}, "query": {storetest.ForeignName}})
	}
	t.Logf("%d questions of A; %d of them show B its own", asked, shown)
	if shown < 200 {
		t.Error("too few of the questions show B its own: the test sees nothing")
	}
}

func TestAnswers(t *testing.T) {
	s := serve(t)
	at := fmt.Sprint(noon.Unix())
	for _, c := range []struct {
		why, who, path string
		form           url.Values
		status         int
		want           string
	}{
		{"an instant", "a", "/api/v1/query", url.Values{"query": {`shared{job="a-job-1",region="eu"}`}, "time": {at}}, 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"shared","job":"a-job-1","region":"eu","tenant":"team-a","who":"a-who"},"value":[1772366400,"4"]}]}}`},
		{"a sum of both regions, now", "a", "/api/v1/query", url.Values{"query": {`sum(shared)`}}, 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1772366400,"24"]}]}}`},
		{"a number", "a", "/api/v1/query", url.Values{"query": {`1 / 0`}}, 200,
			`{"status":"success","data":{"resultType":"scalar","result":[1772366400,"+Inf"]}}`},
		{"a string", "a", "/api/v1/query", url.Values{"query": {`"a\"b"`}, "time": {"1.5"}}, 200,
			`{"status":"success","data":{"resultType":"string","result":[1.5,"a\"b"]}}`},
		{"a range of samples", "a", "/api/v1/query", url.Values{"query": {`shared{job="a-job-0",region="us"}[20s]`}, "time": {"2026-03-01T12:00:00Z"}}, 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"shared","job":"a-job-0","region":"us","tenant":"team-a","who":"a-who"},"values":[[1772366385,"2"],[1772366400,"3"]]}]}}`},
		{"a grid", "a", "/api/v1/query_range", url.Values{"query": {`max(shared) * 2`}, "start": {"1772366370"}, "end": {at}, "step": {"15s"}}, 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1772366370,"6"],[1772366385,"8"],[1772366400,"10"]]}]}}`},
		{"nothing", "a", "/api/v1/query", url.Values{"query": {`nothing`}}, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{"names of labels, with the regions'", "a", "/api/v1/labels", nil, 200, `{"status":"success","data":["__name__","job","region","tenant","who"]}`},
		{"the regions", "a", "/api/v1/label/region/values", nil, 200, `{"status":"success","data":["eu","us"]}`},
		{"a selector of a region", "a", "/api/v1/label/region/values", url.Values{"match[]": {`shared{region!="us"}`}}, 200, `{"status":"success","data":["eu"]}`},
		{"cut short", "a", "/api/v1/label/job/values", url.Values{"limit": {"2"}}, 200,
			`{"status":"success","data":["a-job-0","a-job-1"],"warnings":["results truncated due to limit"]}`},
		{"metadata", "a", "/api/v1/metadata", nil, 200, `{"status":"success","data":{}}`},
		{"series of nothing in particular", "a", "/api/v1/series", nil, 400,
			`{"status":"error","errorType":"bad_data","error":"invalid: no match[] parameter: name the series that are wanted"}`},
		{"what does not parse", "a", "/api/v1/query", url.Values{"query": {`sum(`}}, 400,
			`{"status":"error","errorType":"bad_data","error":"invalid: the expression does not parse: 1:5: parse error: unclosed left parenthesis"}`},
		{"too many points", "a", "/api/v1/query_range", url.Values{"query": {`shared`}, "start": {"0"}, "end": {at}, "step": {"1"}}, 422,
			`{"status":"error","errorType":"execution","error":"invalid: the question is too big: the range has more than 11000 points; make the step longer or the range shorter"}`},
		{"no step", "a", "/api/v1/query_range", url.Values{"query": {`shared`}, "start": {"0"}, "end": {at}}, 400,
			`{"status":"error","errorType":"bad_data","error":"invalid: the duration \"\" is not one: expected seconds, or such as 30s, 5m or 1h30m, more than 0"}`},
		{"no time", "a", "/api/v1/query", url.Values{"query": {`shared`}, "time": {"NaN"}}, 400,
			`{"status":"error","errorType":"bad_data","error":"invalid: the parameter time is \"NaN\", which is no time"}`},
		{"a stranger", "", "/api/v1/query", url.Values{"query": {`shared`}}, 403, `{"status":"error","errorType":"forbidden","error":"sign in first"}`},
		{"a program's mistake", "nobody", "/api/v1/query", url.Values{"query": {`shared`}}, 403, `{"status":"error","errorType":"forbidden","error":"invalid: a question to a store has no scope"}`},
		{"federation", "all", "/federate", nil, 403,
			`{"status":"error","errorType":"forbidden","error":"not served: GET /federate; the query API serves query, query_range, series, labels, label values and metadata"}`},
	} {
		status, text := ask(t, s, c.who, c.path, c.form, nil)
		if diff := cmp.Diff(c.want, text); diff != "" || status != c.status {
			t.Errorf("%s: %d, want %d\n%s", c.why, status, c.status, diff)
		}
	}
}

// down is a store that does not answer.
type down struct{ store.Metrics }

func (down) Query(context.Context, store.Scope, parser.Expr, store.Range, store.Limits) (store.Answer, error) {
	return store.Answer{}, errors.New("connection refused")
}

func TestPartial(t *testing.T) {
	m := storetest.NewMemory()
	if err := m.Write(t.Context(), storetest.A, storetest.TwoTenants(noon)[storetest.A]); err != nil {
		t.Fatal(err)
	}
	regions := []query.Region{
		{Name: "eu", Metrics: m, Labels: labels.FromStrings("region", "eu")},
		{Name: "us", Metrics: down{m}, Labels: labels.FromStrings("region", "us")},
	}
	clock := func() time.Time { return noon }
	e := query.New(func() []query.Region { return regions }, query.Config{}, clock)
	s := httptest.NewServer(promapi.New(e, func(*http.Request) (store.Scope, error) { return store.Of(storetest.A), nil }, clock))
	defer s.Close()
	_, text := ask(t, s, "a", "/api/v1/query", url.Values{"query": {"sum(shared)"}}, nil)
	want := `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1772366400,"12"]}]},` +
		`"warnings":["the answer lacks region us, which does not answer since 2026-03-01T12:00:00Z: connection refused"],` +
		`"partial":true,"missing":[{"region":"us","since":"2026-03-01T12:00:00Z","why":"connection refused"}]}`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
}

func FuzzQuery(f *testing.F) {
	s := serve(f)
	for _, trick := range storetest.Tricks() {
		f.Add(trick.Expr, "60", "15s", trick.Expr)
	}
	f.Add("shared", "-1", "1h30m", `{a="b"}`)
	f.Fuzz(func(t *testing.T, expr, start, step, selector string) {
		form := url.Values{"query": {expr}, "start": {start}, "end": {fmt.Sprint(noon.Unix())}, "step": {step}, "time": {start}, "match[]": {selector}}
		for _, path := range []string{"/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels"} {
			status, text := ask(t, s, "a", path, nil, form)
			// A question may write any word into its answer, but not values that it does not know.
			for _, word := range []string{storetest.ForeignWord + "job-0", storetest.ForeignWord + "value"} {
				if strings.Contains(text, word) && !strings.Contains(expr, "b-") && !strings.Contains(selector, "b-") && status == http.StatusOK {
					t.Errorf("%s of %q and %q shows %q", path, expr, selector, word)
				}
			}
			if status >= 500 {
				t.Errorf("%s of %q: %d: %s", path, expr, status, text)
			}
		}
	})
}
