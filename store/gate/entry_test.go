package gate

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a write is sent with the second time is what it was sent with the first time.
func TestEntry(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		why, url, tenant, query string
		bad                     bool
	}{
		{why: "The time of arrival is part of the write.", url: "/api/v1/import/prometheus?extra_label=a%3Db", query: "extra_label=a%3Db&timestamp=1700000000000"},
		{why: "A time that is said stays.", url: "/prometheus/api/v1/import/prometheus?timestamp=7", query: "timestamp=7"},
		{why: "Remote write has its times in the body.", url: "/api/v1/write?extra_label=tenant%3Da", query: "extra_label=tenant%3Da"},
		{why: "A user's tenant replaces all labels that the request adds.", url: "/api/v1/write?extra_label=tenant%3Da&extra_label=b%3Dc", tenant: "blue", query: "extra_label=tenant%3Dblue"},
		{why: "CSV with a time.", url: "/api/v1/import/csv?format=1:metric:a,2:time:unix_s", query: "format=1%3Ametric%3Aa%2C2%3Atime%3Aunix_s"},
		{why: "CSV without.", url: "/api/v1/import/csv?format=1:metric:a", bad: true},
		{why: "A query that hides something.", url: "/api/v1/write?a=%zz", bad: true},
	} {
		r := httptest.NewRequest("POST", c.url, strings.NewReader("body"))
		r.Header.Set("Content-Encoding", "snappy")
		got, err := newEntry(r, c.tenant, now)
		if c.bad {
			if err == nil {
				t.Errorf("%s It is taken: %+v", c.why, got)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got.Query != c.query {
			t.Errorf("%s Query %q, want %q", c.why, got.Query, c.query)
		}
		again, err := unmarshal(got.marshalled)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again, cmp.AllowUnexported(entry{})); diff != "" {
			t.Error(c.why, diff)
		}
	}
}

// What stands in a journal may be damaged in a way that its checksum does not see, or be another version's.
func FuzzUnmarshal(f *testing.F) {
	f.Add(append((&entry{Path: "/api/v1/write", Query: "a=b", Headers: make([]string, len(passed))}).head(), "body"...))
	f.Add([]byte{})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := unmarshal(data)
		if err != nil {
			return
		}
		again, err := unmarshal(append(e.head(), e.Body...))
		if err != nil || again.Path != e.Path || again.Query != e.Query || !bytes.Equal(again.Body, e.Body) {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}

// The lines of VictoriaMetrics that say which process it is.
func TestReadProcess(t *testing.T) {
	p, err := readProcess(strings.NewReader("a 1\nprocess_cpu_seconds_total 2.5\nprocess_start_time_seconds 1700000000\n"))
	if err != nil || p != (process{began: 1_700_000_000, took: 2.5}) {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, c := range []struct {
		why    string
		before process
		same   bool
	}{
		{"It has worked since.", process{began: 1_700_000_000, took: 2}, true},
		{"It has done nothing since.", process{began: 1_700_000_000, took: 2.5}, true},
		{"Another one was started in the same second.", process{began: 1_700_000_000, took: 2.6}, false},
		{"Another one.", process{began: 1_699_999_999, took: 2}, false},
	} {
		if got := p.after(c.before); got != c.same {
			t.Errorf("%s The same process: %t", c.why, got)
		}
	}
	for age, young := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Second: true, 2 * time.Second: false, time.Hour: false} {
		p.at = time.Unix(1_700_000_000, 0).Add(age)
		if p.young() != young {
			t.Errorf("a process that began %s ago is young: %t", age, !young)
		}
	}
	if _, err := readProcess(strings.NewReader("a 1\n")); err == nil {
		t.Error("metrics without a process are taken")
	}
}
