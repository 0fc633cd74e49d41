package tables

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/wire"
)

func openTables(t testing.TB, dir string) *Tables {
	t.Helper()
	tables, err := Open(context.Background(), Config{Dir: dir, MemoryBytes: 512 << 20, Threads: 2, PartRows: 2_000_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tables.Close() })
	return tables
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC).UnixNano()

// resource is the attributes of a pod's resource.
func resource(tenant, namespace, pod string) row.Attributes {
	var b row.Builder
	b.Add("k8s.namespace.name", namespace)
	b.Add("k8s.pod.name", pod)
	b.Add("tenant", tenant)
	return b.Text()
}

func batch(tenant, namespace, body string, at int64) *row.Batch {
	return &row.Batch{Tenant: tenant, Streams: []row.Attributes{resource(tenant, namespace, "p-0")}, Logs: []row.Log{{Time: at, Body: body, Severity: 9}}}
}

func search(t *testing.T, tables *Tables, s LogSearch) []wire.Record {
	t.Helper()
	if s.End == 0 {
		s.Start, s.End = noon-int64(40*24*time.Hour), noon+int64(24*time.Hour)
	}
	if s.Limit == 0 {
		s.Limit = 1000
	}
	var found []wire.Record
	for r, err := range tables.SearchLogs(context.Background(), s) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r)
	}
	return found
}

func add(t *testing.T, tables *Tables, applied uint64, batches ...*row.Batch) {
	t.Helper()
	if err := tables.Append(context.Background(), batches, applied); err != nil {
		t.Fatal(err)
	}
}

func bodies(records []wire.Record) []string {
	var list []string
	for _, r := range records {
		list = append(list, r.Body)
	}
	return list
}

// withAttributes gives the only record of a batch attributes of its own.
func withAttributes(b *row.Batch, pairs ...string) *row.Batch {
	var build row.Builder
	b.Names = map[string]struct{}{}
	for i := 0; i < len(pairs); i += 2 {
		build.Add(pairs[i], pairs[i+1])
		b.Names[pairs[i]] = struct{}{}
	}
	b.Logs[0].Attributes = build.Text()
	return b
}

func label(name string, op Op, value string) Matcher {
	m, err := NewMatcher(name, op, value)
	if err != nil {
		panic(err)
	}
	return m
}

const minute = int64(time.Minute)

func TestSearch(t *testing.T) {
	tables := openTables(t, t.TempDir())
	severe := batch("a", "shop", "Payment FAILED: 100% of 'x'", noon+2*minute)
	severe.Logs[0].Severity = 17
	add(t, tables, 4,
		batch("a", "shop", "first", noon),
		withAttributes(batch("a", "web", "second\x01", noon+minute), "code", "503", "path", "/a.b"),
		severe,
		withAttributes(batch("a", "web", "next day ÄÖ", noon+int64(24*time.Hour)-minute), "k8s.namespace.name", "inner"),
	)
	day := func(s LogSearch) LogSearch { s.In = Scope{Tenant: "a"}; return s }
	for _, c := range []struct {
		name, why string
		s         LogSearch
		want      []string
	}{
		{"All", "The newest come first, over days.", LogSearch{Order: Newest}, []string{"next day ÄÖ", "Payment FAILED: 100% of 'x'", "second\x01", "first"}},
		{"Oldest", "The other way round.", LogSearch{Order: Oldest, Limit: 2}, []string{"first", "second\x01"}},
		{"LimitOverDays", "The limit counts over days.", LogSearch{Order: Newest, Limit: 2}, []string{"next day ÄÖ", "Payment FAILED: 100% of 'x'"}},
		{"End", "The end does not count, the start does.", LogSearch{Start: noon, End: noon + minute}, []string{"first"}},
		{"ShortName", "namespace stands for OpenTelemetry's name.", LogSearch{Labels: []Matcher{label("namespace", Equal, "shop")}, Order: Oldest}, []string{"first", "Payment FAILED: 100% of 'x'"}},
		{"LongName", "So does the name itself.", LogSearch{Labels: []Matcher{label("k8s.namespace.name", NotEqual, "shop")}, Order: Oldest}, []string{"second\x01", "next day ÄÖ"}},
		{"Regex", "It has to match the whole value.", LogSearch{Labels: []Matcher{label("namespace", Like, "sho")}}, nil},
		{"RegexWhole", "It has to match the whole value.", LogSearch{Labels: []Matcher{label("namespace", Like, "sh.*|x")}, Order: Oldest}, []string{"first", "Payment FAILED: 100% of 'x'"}},
		{"OwnAttribute", "A record's own attributes are labels, too.", LogSearch{Labels: []Matcher{label("code", Equal, "503")}}, []string{"second\x01"}},
		{"OwnAttributeRegex", "Also for expressions.", LogSearch{Labels: []Matcher{label("code", Like, "5..")}}, []string{"second\x01"}},
		{"OwnAttributeDot", "A dot in a value is a dot.", LogSearch{Labels: []Matcher{label("path", Equal, "/axb")}}, nil},
		{"Absent", "What is not there is empty.", LogSearch{Labels: []Matcher{label("code", Equal, "")}, Order: Oldest}, []string{"first", "Payment FAILED: 100% of 'x'", "next day ÄÖ"}},
		{"NotAbsent", "And what is there is not.", LogSearch{Labels: []Matcher{label("code", NotEqual, "")}}, []string{"second\x01"}},
		{"NotLike", "What is not there does not match, which is what was asked for.", LogSearch{Labels: []Matcher{label("code", NotLike, "5.*"), label("namespace", Equal, "web")}}, []string{"next day ÄÖ"}},
		{"ResourceFirst", "Where both have a name the resource's value counts.", LogSearch{Labels: []Matcher{label("namespace", Equal, "inner")}}, nil},
		{"Nowhere", "A label that nothing has.", LogSearch{Labels: []Matcher{label("no such", Equal, "x")}}, nil},
		{"Text", "The case does not count, and % and ' are themselves.", LogSearch{Text: []string{"failed: 100% of 'X'"}}, []string{"Payment FAILED: 100% of 'x'"}},
		{"TextPercent", "No character stands for others.", LogSearch{Text: []string{"p%d"}}, nil},
		{"Texts", "All of them have to be there.", LogSearch{Text: []string{"payment", "first"}}, nil},
		{"TextBeyondASCII", "The case of other letters does not count either.", LogSearch{Text: []string{"äö"}}, []string{"next day ÄÖ"}},
		{"Severity", "It is the least one.", LogSearch{Severity: 10}, []string{"Payment FAILED: 100% of 'x'"}},
		{"Injection", "What comes from outside is never part of the statement.", LogSearch{Text: []string{"') OR 1=1 --"}, Labels: []Matcher{label("x' OR '1'='1", NotEqual, "' OR 1=1 --")}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, bodies(search(t, tables, day(c.s)))); diff != "" {
				t.Fatalf("%s\n%s", c.why, diff)
			}
		})
	}
}

// TestScope reads with every kind of condition, and finds nothing of another tenant.
func TestScope(t *testing.T) {
	tables := openTables(t, t.TempDir())
	add(t, tables, 2,
		withAttributes(batch("a", "shop", "of a", noon), "code", "1"),
		withAttributes(batch("b", "shop", "of b", noon), "code", "1"),
	)
	for _, labels := range [][]Matcher{
		nil,
		{label("tenant", Equal, "b")},
		{label("tenant", Like, "a|b")},
		{label("tenant", NotEqual, "a")},
		{label("tenant", Equal, "")},
		{label("namespace", Equal, "shop")},
		{label("namespace", Like, ".*"), label("code", Like, ".*")},
		{label("code", Equal, "1")},
		{label("nothing", Equal, "")},
		{label("nothing", NotLike, "x"), label("code", NotEqual, "2")},
	} {
		for _, text := range [][]string{nil, {"of"}} {
			for _, r := range search(t, tables, LogSearch{In: Scope{Tenant: "a"}, Labels: labels, Text: text}) {
				if r.Tenant != "a" || r.Body != "of a" || r.Resource["tenant"] != "a" {
					t.Errorf("%v finds %+v", labels, r)
				}
			}
			if got := search(t, tables, LogSearch{Labels: labels, Text: text}); len(got) > 0 {
				t.Errorf("nobody finds %+v", got)
			}
		}
	}
	if got := search(t, tables, LogSearch{In: Scope{Everybody: true}}); len(got) != 2 {
		t.Errorf("everybody finds %+v", got)
	}
	names, err := tables.Names(context.Background(), Scope{Tenant: "c"}, 0, noon+minute)
	if err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	tables := openTables(t, dir)
	add(t, tables, 7, withAttributes(batch("a", "shop", "kept", noon), "code", "1"))
	if err := tables.Close(); err != nil {
		t.Fatal(err)
	}
	tables = openTables(t, dir)
	if got := tables.Applied(); got != 7 {
		t.Fatalf("applied is %d", got)
	}
	add(t, tables, 8, batch("a", "shop", "new", noon+1))
	got := search(t, tables, LogSearch{In: Scope{Tenant: "a"}, Labels: []Matcher{label("pod", Equal, "p-0")}, Order: Oldest})
	if diff := cmp.Diff([]string{"kept", "new"}, bodies(got)); diff != "" {
		t.Fatal(diff)
	}
	if got := search(t, tables, LogSearch{In: Scope{Tenant: "a"}, Labels: []Matcher{label("code", Equal, "1")}}); len(got) != 1 {
		t.Fatalf("%v", got)
	}
}

func TestFailedAppendLeavesNothing(t *testing.T) {
	tables := openTables(t, t.TempDir())
	add(t, tables, 1, batch("a", "shop", "before", noon))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tables.Append(ended, []*row.Batch{batch("a", "other", "lost", noon)}, 2); err == nil {
		t.Fatal("a context that has ended is no error")
	}
	add(t, tables, 2, batch("a", "other", "again", noon+1))
	got := search(t, tables, LogSearch{In: Scope{Tenant: "a"}, Labels: []Matcher{label("namespace", Equal, "other")}})
	if diff := cmp.Diff([]string{"again"}, bodies(got)); diff != "" {
		t.Fatal(diff)
	}
}

func TestDrop(t *testing.T) {
	tables := openTables(t, t.TempDir())
	tables.LimitParts(1)
	ctx := context.Background()
	day := int64(24 * time.Hour)
	add(t, tables, 1, batch("a", "shop", "oldest", noon-2*day), batch("a", "shop", "older", noon-day))
	add(t, tables, 2, batch("a", "shop", "old", noon))
	add(t, tables, 3, batch("a", "shop", "new", noon+1))
	if dropped, err := tables.DropBefore(ctx, row.DayOf(noon-day)); err != nil || !dropped {
		t.Fatal(dropped, err)
	}
	want := []string{"new", "old", "older"}
	for len(want) > 1 {
		if diff := cmp.Diff(want, bodies(search(t, tables, LogSearch{In: Scope{Tenant: "a"}, Order: Newest}))); diff != "" {
			t.Fatal(diff)
		}
		if dropped, err := tables.DropOldest(ctx); err != nil || !dropped {
			t.Fatal(dropped, err)
		}
		want = want[:len(want)-1]
	}
	if dropped, err := tables.DropOldest(ctx); err != nil || dropped {
		t.Fatal("the part that is written to was dropped", err)
	}
	add(t, tables, 4, batch("a", "shop", "after", noon-day))
	if diff := cmp.Diff([]string{"new", "after"}, bodies(search(t, tables, LogSearch{In: Scope{Tenant: "a"}, Order: Newest}))); diff != "" {
		t.Fatal(diff)
	}
}

func spanBatch(tenant string, spans ...row.Span) *row.Batch {
	for i := range spans {
		spans[i].Service = "web"
	}
	return &row.Batch{Tenant: tenant, Streams: []row.Attributes{resource(tenant, "shop", "p-0")}, Spans: spans}
}

func TestTraces(t *testing.T) {
	tables := openTables(t, t.TempDir())
	ctx := context.Background()
	one, two := strings.Repeat("\x01", 16), strings.Repeat("\x02", 16)
	add(t, tables, 2,
		spanBatch("a",
			row.Span{Trace: one, ID: "11111111", Time: noon, Duration: 5, Operation: "GET /", Kind: 2},
			row.Span{Trace: one, ID: "22222222", Parent: "11111111", Time: noon + 1, Duration: 50, Operation: "SELECT", Kind: 3, Status: 2, Events: `[{"time":1,"name":"e"}]`},
			row.Span{Trace: two, ID: "33333333", Time: noon + 2, Duration: 7, Operation: "GET /"}),
		spanBatch("b", row.Span{Trace: one, ID: "44444444", Time: noon + 3, Duration: 500, Operation: "secret"}),
	)
	a := Scope{Tenant: "a"}
	for _, c := range []struct {
		name, why string
		s         SpanSearch
		want      []string
	}{
		{"All", "The newest trace comes first.", SpanSearch{In: a}, []string{two, one}},
		{"Operation", "One span is enough.", SpanSearch{In: a, Service: "web", Operation: "SELECT"}, []string{one}},
		{"Duration", "Of one's own spans.", SpanSearch{In: a, Least: 51}, nil},
		{"Most", "Both bounds.", SpanSearch{In: a, Least: 6, Most: 8}, []string{two}},
		{"Failed", "Spans with an error.", SpanSearch{In: a, Failed: true}, []string{one}},
		{"Label", "Of the resource.", SpanSearch{In: a, Labels: []Matcher{label("namespace", Equal, "shop")}}, []string{two, one}},
		{"Other", "What another tenant did is not found.", SpanSearch{In: a, Operation: "secret"}, nil},
		{"Nobody", "Without a scope nothing is found.", SpanSearch{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.s.Start, c.s.End, c.s.Limit = noon, noon+minute, 10
			found, err := tables.SearchTraces(ctx, c.s)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, trace := range found {
				ids = append(ids, trace.ID)
				for _, s := range trace.Spans {
					if s.Tenant != "a" {
						t.Errorf("a span of %s", s.Tenant)
					}
				}
			}
			if diff := cmp.Diff(c.want, ids); diff != "" {
				t.Fatalf("%s\n%s", c.why, diff)
			}
		})
	}
	trace, err := tables.Trace(ctx, a, one)
	if err != nil || len(trace.Spans) != 2 || trace.Spans[1].Parent != "11111111" || trace.Spans[1].Events[0].Name != "e" {
		t.Fatalf("%+v, %v", trace, err)
	}
	if _, err := tables.Trace(ctx, Scope{Tenant: "b"}, two); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	operations, err := tables.Operations(ctx, a, "web")
	if diff := cmp.Diff([]Operation{{"GET /", 0}, {"GET /", 2}, {"SELECT", 3}}, operations); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
}
