package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/fleet"
)

var update = flag.Bool("update", false, "write the results into testdata")

// pack makes a chart's archive of files, under a folder as Helm wants it.
func pack(t testing.TB, files []txtar.File) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, f := range files {
		if err := archive.WriteHeader(&tar.Header{Name: "chart/" + f.Name, Mode: 0o644, Size: int64(len(f.Data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// chartOf loads the chart whose files stand in a txtar text.
func chartOf(t testing.TB, text string) *Chart {
	t.Helper()
	c, err := Load(pack(t, txtar.Parse([]byte(text)).Files))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stories runs fn for each file under testdata/folder: fn gets the chart and the values, and
// returns what the section named result has to say.
func stories(t *testing.T, folder, result string, fn func(c *Chart, v Values) string) {
	paths, err := filepath.Glob("testdata/" + folder + "/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var files []txtar.File
			var values, want []byte
			at := -1
			for i, f := range story.Files {
				switch f.Name {
				case "values":
					values = f.Data
				case result:
					want, at = f.Data, i
				default:
					files = append(files, f)
				}
			}
			if at < 0 {
				t.Fatalf("%s has no section %q", path, result)
			}
			v, err := ParseValues(values)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Load(pack(t, files))
			if err != nil {
				t.Fatal(err)
			}
			got := fn(c, v)
			if *update {
				story.Files[at].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(story), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", story.Comment, diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	stories(t, "check", "problems", func(c *Chart, v Values) string {
		err := Check(c, v)
		if err == nil {
			return ""
		}
		var problems *ValuesError
		if !errors.As(err, &problems) || !errors.Is(err, fleet.ErrInvalid) {
			return fmt.Sprintf("unexpected: %v\n", err)
		}
		var out strings.Builder
		for _, p := range problems.Problems {
			fmt.Fprintf(&out, "%s: %s\n", p.Path, p.Message)
		}
		return out.String()
	})
}

func TestRender(t *testing.T) {
	stories(t, "render", "result", func(c *Chart, v Values) string {
		r, err := Render(c, v, Release{Namespace: "ns", Name: "one", KubeVersion: "v1.36.4"})
		if err != nil {
			return fmt.Sprintf("error: %v\n", err)
		}
		var out strings.Builder
		list := func(word string, objects []*unstructured.Unstructured) {
			for _, o := range objects {
				fmt.Fprintf(&out, "%s %s %s\n", word, o.GetKind(), o.GetName())
			}
		}
		list("crd", r.CRDs)
		list("object", r.Objects)
		list("hook", r.Hooks)
		if r.Notes != "" {
			fmt.Fprintf(&out, "notes %s\n", strings.TrimSpace(r.Notes))
		}
		return out.String()
	})
}

func TestParseValues(t *testing.T) {
	tests := []struct {
		name, why, text string
		want            Values
		err             string
	}{
		{"Empty", "Nothing set is no values.", "", Values{}, ""},
		{"Comment", "A comment alone sets nothing.", "# later\n", Values{}, ""},
		{"YAML", "Keys and values.", "a: {b: [1, x]}", Values{"a": map[string]any{"b": []any{1.0, "x"}}}, ""},
		{"JSON", "JSON is YAML.", `{"a": true}`, Values{"a": true}, ""},
		{"Text", "A text has no keys.", "hello", nil, `reading values: invalid: expected keys and values ("key: value"), found only a text`},
		{"List", "A list has no keys.", "- a", nil, `reading values: invalid: expected keys and values ("key: value"), found only a list`},
		{"Broken", "The line is named.", "a: 1\nb: c: d\n", nil, "reading values: invalid: line 2: mapping values are not allowed in this context"},
		{"Tab", "The classic.", "a:\n\tb: 1\n", nil, "reading values: invalid: line 2: found character that cannot start any token"},
		{"Twice", "Of two equal keys, one would be lost without a word.", "a: 1\na: 2\n", nil, "reading values: invalid: line 2: key \"a\" already set in map"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseValues([]byte(tc.text))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
			if text := fmt.Sprint(err); tc.err != "" && text != tc.err || tc.err == "" && err != nil {
				t.Errorf("%s\ngot  %s\nwant %s", tc.why, text, tc.err)
			}
			if tc.err != "" && !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid: the user has to act", err)
			}
		})
	}
}

func TestMergeValues(t *testing.T) {
	base := Values{"a": map[string]any{"b": 1.0, "c": []any{1.0, 2.0}}, "d": "x"}
	over := Values{"a": map[string]any{"c": []any{3.0}, "e": nil}, "d": map[string]any{"f": 1.0}}
	got := MergeValues(base, over)
	want := Values{"a": map[string]any{"b": 1.0, "c": []any{3.0}, "e": nil}, "d": map[string]any{"f": 1.0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mappings merge, the rest is replaced, null stays (-want +got)\n%s", diff)
	}
	got["a"].(map[string]any)["b"] = 2.0
	got["d"].(map[string]any)["f"] = 2.0
	if base["a"].(map[string]any)["b"] != 1.0 || over["d"].(map[string]any)["f"] != 1.0 {
		t.Error("the result shares a mapping with its layers")
	}
}

func TestDigest(t *testing.T) {
	a, _ := ParseValues([]byte("a: 1\nb: {c: x, d: z}\n"))
	b, _ := ParseValues([]byte(`{"b": {"d": "z", "c": "x"}, "a": 1.0}`))
	if a.Digest() != b.Digest() {
		t.Error("the same values in another order and form have another digest")
	}
	if (Values)(nil).Digest() != (Values{}).Digest() {
		t.Error("no values and empty values differ")
	}
	a["a"] = 2.0
	if a.Digest() == b.Digest() {
		t.Error("other values have the same digest")
	}
}

func FuzzParseValues(f *testing.F) {
	for _, seed := range []string{"", "a: 1", "a: {b: [1, null, .inf]}", "? {a: b}\n: c", "&a a: *a", "- x", "{", "a: 0x10", "1: 2", "a: 1e400"} {
		f.Add([]byte(seed), []byte("a: {b: 2}"))
	}
	f.Fuzz(func(t *testing.T, text, more []byte) {
		v, err := ParseValues(text)
		if err != nil {
			if !errors.Is(err, fleet.ErrInvalid) {
				t.Fatalf("%v is not ErrInvalid", err)
			}
			return
		}
		if over, err := ParseValues(more); err == nil {
			once := MergeValues(v, over)
			if twice := MergeValues(once, over); once.Digest() != twice.Digest() {
				t.Fatal("laying the same values over twice makes a difference")
			}
		}
		if MergeValues(v).Digest() != v.Digest() {
			t.Fatal("a copy has another digest")
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("a: {b: 1}"), []byte("a: {bb: 1}"), "{{ .Values.a.c }}")
	f.Add([]byte("a: {}"), []byte("a: {bb: [1]}"), "{{ index .Values \"x\" 1 }}")
	f.Add([]byte("a: 1"), []byte("a: {bb: [1]}"), "{{ define \"x\" }}{{ (.Values).x.y }}{{ end }}")
	f.Fuzz(func(t *testing.T, defaults, values []byte, template string) {
		v, err := ParseValues(values)
		if err != nil {
			return
		}
		d, err := ParseValues(defaults)
		if err != nil {
			return
		}
		c, err := Load(pack(t, []txtar.File{
			{Name: "Chart.yaml", Data: []byte("{apiVersion: v2, name: web, version: 1.0.0}")},
			{Name: "values.yaml", Data: defaults},
			{Name: "templates/a.yaml", Data: []byte(template)},
		}))
		if err != nil {
			return
		}
		_ = Check(c, v)
		if err := Check(c, d); err != nil {
			t.Fatalf("the chart refuses its own defaults: %v", err)
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"image", "replicas", "workers", "workersNumber"}
	tests := []struct{ wrong, want string }{
		{"replica", "replicas"}, {"repilcas", "replicas"}, {"Image", "image"}, {"worker", "workers"}, {"workersnumber", "workersNumber"}, {"zzz", ""}, {"", ""},
	}
	for _, tc := range tests {
		if got, _ := nearest(tc.wrong, names); got != tc.want {
			t.Errorf("nearest(%q) = %q, want %q", tc.wrong, got, tc.want)
		}
	}
}
