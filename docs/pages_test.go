package docs_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/config"
)

// page is one file: of text, or an example by itself.
type page struct {
	// path is relative to this folder.
	path string
	text string
}

// block is a fenced part of a page.
type block struct {
	// language is the first word after the fence.
	language, text string
	// line is where the text begins, counted from 1.
	line int
}

// pages are this folder's, and the first one of the repository.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	add := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page{path, string(text)})
	}
	add("../README.md")
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".md" || ext == ".yaml" {
			add(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d pages: the test looks at the wrong folder", len(all))
	}
	return all
}

// blocks are the fenced parts; an example is one as a whole.
func (p page) blocks() []block {
	if filepath.Ext(p.path) == ".yaml" {
		return []block{{"yaml", p.text, 1}}
	}
	var all []block
	var open *block
	indent := ""
	for i, line := range strings.Split(p.text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case strings.HasPrefix(trimmed, "```") && open == nil:
			indent = line[:len(line)-len(trimmed)]
			open = &block{language: strings.TrimPrefix(trimmed, "```"), line: i + 2}
		case strings.HasPrefix(trimmed, "```"):
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	return all
}

// manifest is one object that a reader is told to apply.
type manifest struct {
	*unstructured.Unstructured
	raw  []byte
	line int
}

// manifests are the objects of the YAML blocks. A block that names neither apiVersion nor kind
// shows a part of an object, or values, and is none.
func (p page) manifests(t *testing.T) []manifest {
	t.Helper()
	var all []manifest
	for _, b := range p.blocks() {
		if b.language != "yaml" {
			continue
		}
		line := b.line
		for text := range strings.SplitSeq(b.text, "\n---\n") {
			m := manifest{&unstructured.Unstructured{}, []byte(text), line}
			line += strings.Count(text, "\n") + 2
			if err := yaml.UnmarshalStrict(m.raw, &m.Object); err != nil {
				t.Errorf("%s:%d: %v", p.path, m.line, err)
				continue
			}
			_, kind := m.Object["kind"]
			_, version := m.Object["apiVersion"]
			if kind || version {
				all = append(all, m)
			}
		}
	}
	return all
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// A link inside the repository leads somewhere.
func TestLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(p.path), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", p.path, m[1])
			}
		}
	}
}

// Every field of the configuration is explained under its path.
func TestEverySettingIsExplained(t *testing.T) {
	text, err := os.ReadFile("kinds/porticoconfiguration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range fieldsOf(reflect.TypeFor[config.Config](), "") {
		if path != "apiVersion" && path != "kind" && !bytes.Contains(text, []byte("\n| `"+path+"` |")) {
			t.Errorf("kinds/porticoconfiguration.md has no row for %s", path)
		}
	}
}

// fieldsOf are the paths of all fields of our structs, as they are written in a file.
func fieldsOf(of reflect.Type, below string) []string {
	var paths []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == of.PkgPath() {
			paths = append(paths, fieldsOf(field.Type, below+name+".")...)
			continue
		}
		paths = append(paths, below+name)
	}
	return paths
}

// Every kind that is served has a row in the index, with a page or a word why not.
func TestEveryKindIsListed(t *testing.T) {
	index, err := os.ReadFile("kinds/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind := range definitions(t) {
		if !bytes.Contains(index, []byte("| ["+kind.Kind+"]")) && !bytes.Contains(index, []byte("| "+kind.Kind+" |")) {
			t.Errorf("kinds/README.md has no row for %s", kind.Kind)
		}
	}
}
