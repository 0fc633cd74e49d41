package download

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	registrytypes "github.com/google/go-containerregistry/pkg/v1/types"
)

func tarOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(files[name])), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// An artifact's manifests are read from all its layers, and fetched anew when the tag stands for
// another one.
func TestArtifact(t *testing.T) {
	s := newSite(t, httptest.NewServer)
	s.answers(registry.New(registry.Logger(log.New(io.Discard, "", 0))).ServeHTTP)
	ref, err := name.ParseReference(strings.TrimPrefix(s.URL, "http://") + "/team/rules:1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	push := func(layers ...[]byte) {
		t.Helper()
		var img v1.Image = empty.Image
		for _, l := range layers {
			if img, err = mutate.AppendLayers(img, static.NewLayer(l, registrytypes.OCILayer)); err != nil {
				t.Fatal(err)
			}
		}
		if err := remote.Write(ref, img); err != nil {
			t.Fatal(err)
		}
	}
	push(zipped(t, tarOf(t, map[string]string{"app/a.yaml": "a: 1", "README.md": "no", "../b.yaml": "b: 1"})), tarOf(t, map[string]string{"app/c.json": `{"c": 1}`}), []byte(rules))
	x := newTrial(t)
	wish := at("oci://" + ref.String())
	wish.Place.URL = "oci://" + ref.Name()
	got := x.until("the content", wish, func(c Copy) bool { return c.Files != nil })
	if diff := cmp.Diff(map[string]string{"app/a.yaml": "a: 1", "app/c.json": `{"c": 1}`, "content.yaml": rules}, got.Files); diff != "" {
		t.Errorf("the content (-want +got)\n%s", diff)
	}
	if got.Revision != "1.0.0" {
		t.Errorf("the revision is %q", got.Revision)
	}
	before := len(s.requests())
	x.later(wish.Interval)
	x.calm(s, before+2, "the same artifact costs a ping and a question for the digest")
	push([]byte(rules + "data: {}\n"))
	x.later(wish.Interval)
	x.until("the other artifact", wish, holds(rules+"data: {}\n"))

	wish.Place.URL = strings.Replace(wish.URL, "rules", "none", 1)
	x.until("the missing artifact", wish, func(c Copy) bool { return c.Missing })
}

// Whatever a layer holds: no more than may be, and no path that leads elsewhere.
func FuzzLayer(f *testing.F) {
	f.Add([]byte(rules))
	f.Add([]byte("{}"))
	f.Add(tarOf(f, map[string]string{"a.yaml": rules, "../b.yml": "x"}))
	f.Add(zipped(f, tarOf(f, map[string]string{"a.json": "{}"})))
	f.Add(zipped(f, []byte(rules)))
	f.Fuzz(func(t *testing.T, blob []byte) {
		const atMost = 4 << 10
		if len(blob) > atMost {
			return
		}
		files, err := layerFiles(blob, atMost)
		if err != nil {
			return
		}
		total := 0
		for name, text := range files {
			total += len(text)
			if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "..") {
				t.Errorf("the file %q leads elsewhere", name)
			}
		}
		if total > atMost+mostEntries*1024 {
			t.Errorf("%d bytes", total)
		}
	})
}

// A record that somebody has spoilt is none.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"url":"https://x","tried":"2026-05-01T12:00:00Z","content":"aa"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := decode(text); err == nil && (r.URL == "" || r.Tried.IsZero()) {
			t.Errorf("it says nothing, and is a record: %+v", r)
		}
	})
}
