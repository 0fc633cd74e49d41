package tables

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/store/row"
)

// TestArrivals asks the same of rows as they arrive and of the database: both find the same ones.
func TestArrivals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tables := openTables(t, t.TempDir())
	batches := make([]*row.Batch, 40)
	for i := range batches {
		batches[i] = randomBatch(r, int64(i))
	}
	add(t, tables, 1, batches...)
	found := 0
	for n := range 300 {
		s := randomSearch(r)
		var arrived []string
		for _, b := range batches {
			for record := range s.Arrivals(b) {
				arrived = append(arrived, record.Tenant+" "+record.Body+" "+record.Resource["k8s.pod.name"]+" "+record.Attributes["code"])
			}
		}
		var stored []string
		for _, record := range search(t, tables, s) {
			stored = append(stored, record.Tenant+" "+record.Body+" "+record.Resource["k8s.pod.name"]+" "+record.Attributes["code"])
		}
		slices.Sort(arrived)
		slices.Sort(stored)
		if diff := cmp.Diff(stored, arrived); diff != "" {
			t.Fatalf("search %d, %+v (-stored +arrived)\n%s", n, s, diff)
		}
		found += len(stored)
	}
	if found < 300 {
		t.Errorf("%d records were found by 300 searches: they look for too little", found)
	}
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func randomBatch(r *rand.Rand, n int64) *row.Batch {
	b := &row.Batch{Tenant: pick(r, "a", "b"), Names: map[string]struct{}{}}
	for range 3 {
		b.Streams = append(b.Streams, resource(b.Tenant, pick(r, "shop", "web", "ÄÖ"), pick(r, "p-0", "p-1")))
	}
	for i := range 5 {
		var own row.Builder
		for _, name := range []string{"code", "k8s.namespace.name", "namespace", "extra"} {
			if r.IntN(3) == 0 {
				own.Add(name, pick(r, "", "503", "shop", "sho"))
				b.Names[name] = struct{}{}
			}
		}
		b.Logs = append(b.Logs, row.Log{
			Time: noon + n*minute + int64(i), Stream: int32(r.IntN(3)), Severity: uint8(r.IntN(24)), Attributes: own.Text(),
			Body: pick(r, "first", "FIRST line", "Größe ÄÖ", "100% of 'x'", "a\nb", ""),
		})
	}
	return b
}

func randomSearch(r *rand.Rand) LogSearch {
	s := LogSearch{In: Scope{Tenant: pick(r, "a", "b"), Everybody: r.IntN(4) == 0}, Severity: r.IntN(2) * r.IntN(24)}
	for range r.IntN(3) {
		op := []Op{Equal, NotEqual, Like, NotLike}[r.IntN(4)]
		s.Labels = append(s.Labels, label(pick(r, "namespace", "k8s.namespace.name", "pod", "code", "extra", "none"), op, pick(r, "", "shop", "503", "web", "p-0")))
	}
	if r.IntN(3) == 0 {
		s.Text = append(s.Text, pick(r, "first", "LINE", "äö", "%", "'", "\n"))
	}
	return s
}
