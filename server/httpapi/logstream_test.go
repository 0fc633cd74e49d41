package httpapi_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/httpapi/held"
)

// streaming follows logs, and returns a function that waits for the next event.
func (p *plane) streaming(query, token string) func() (kind, data string) {
	p.T.Helper()
	res := p.request("GET", "/api/v1/logs/stream?"+query, token)
	p.T.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		p.T.Fatalf("following %q: %s", query, res.Status)
	}
	events := make(chan [2]string, 1000)
	go func() {
		defer close(events)
		var kind string
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if text, ok := strings.CutPrefix(in.Text(), "event: "); ok {
				kind = text
			}
			if text, ok := strings.CutPrefix(in.Text(), "data: "); ok {
				events <- [2]string{kind, text}
			}
		}
	}()
	return func() (string, string) {
		p.T.Helper()
		select {
		case e := <-events:
			return e[0], e[1]
		case <-time.After(20 * time.Second):
			p.T.Fatal("waited in vain for an event")
			return "", ""
		}
	}
}

// startStreams has acme in namespace a and beta in b, and records that come of both.
func startStreams(t *testing.T) (y *plane, admin, ann string) {
	now := time.Now()
	at := func(tenant store.Tenant, body string, ago time.Duration) store.Record {
		return store.Record{Time: now.Add(-ago).Truncate(time.Millisecond), Tenant: tenant, Severity: 9, Body: body, Resource: map[string]string{"k8s.cluster.name": "demo"}}
	}
	old, overlap := at("acme", "old of acme", time.Minute), at("acme", "overlap of acme", time.Second)
	all := held.Telemetry{
		Records: []store.Record{old, at("beta", "old of beta", time.Minute), overlap},
		Skipped: 4,
		Coming:  []store.Record{overlap, at("beta", "new of beta", 0), at("acme", "new of acme", 0)},
	}
	lost := query.Region{Name: "lost", Err: errors.New("it has no address"), Next: "write one"}
	p := start(t, func(parts *httpapi.Parts) { parts.Logs = all.Over(time.Now, lost) })
	p.deploy(p.a, "one", "acme")
	p.deploy(p.b, "two", "beta")
	admin, ann = p.admin(), p.user("get", p.a)
	p.eventually("ann sees acme", func() bool { code, _ := p.get("/api/v1/logs", ann); return code == http.StatusOK })
	return p, admin, ann
}

// Who follows gets the past of his tenant, and then what comes of it, nothing twice and nothing of others.
func TestLogStream(t *testing.T) {
	p, admin, ann := startStreams(t)
	next := p.streaming("start=1h", ann)
	var got []string
	for range 6 {
		kind, data := next()
		var said struct{ Body, Region, Warning, Why string }
		must(t, json.Unmarshal([]byte(data), &said))
		got = append(got, strings.TrimSpace(kind+" "+said.Body+said.Region+said.Warning[:min(len(said.Warning), 28)]))
		if strings.Contains(data, "beta") {
			t.Errorf("ann is told of %s", data)
		}
	}
	want := "missing lost, begin, warning the answer lacks region lost, record old of acme, record overlap of acme, skipped"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("it begins with\n%s\nwant\n%s", text, want)
	}
	if kind, data := next(); kind != "record" || !strings.Contains(data, `"body":"new of acme"`) || !strings.Contains(data, `"severity":"INFO"`) {
		t.Errorf("after the past comes %s %s", kind, data)
	}
	next = p.streaming("text=NEW&tenant=beta", admin)
	for {
		kind, data := next()
		if kind == "record" {
			if !strings.Contains(data, "new of beta") {
				t.Errorf("the administrator asks for what is new of beta, and is told of %s", data)
			}
			break
		}
	}
	for query, code := range map[string]int{"tenant=beta": 403, "label=x": 400, "severity=loud": 400, "end=1m&start=1h": 400} {
		if got, text := p.get("/api/v1/logs/stream?"+query, ann); got != code {
			t.Errorf("%s: %d %s, want %d", query, got, text, code)
		}
	}
}

// A tenant that gets a cluster where ann may not look is not all hers any more: her stream ends.
func TestLogStreamEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a heartbeat")
	}
	p, _, ann := startStreams(t)
	next := p.streaming("", ann)
	p.deploy(p.b, "three", "acme")
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); {
		if kind, data := next(); kind == "end" {
			if !strings.Contains(data, "not yours to see") {
				t.Errorf("it ends with %s", data)
			}
			return
		}
	}
	t.Error("the stream goes on")
}
