package scenario

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

// A test binary has one command line, so the flag has to live beside it.
var update = flag.Bool("update", false, "write the outputs of scenarios into their files")

// Section is one named part of a scenario.
type Section struct {
	Name string
	Text string
}

// Text is a section of plain text, one fact a line.
func Text(name string, lines ...string) Section {
	return Section{Name: name, Text: strings.Join(lines, "\n")}
}

// YAML is a section that holds v as YAML. Values that cannot be written are a mistake of the
// test, and show as such in the section.
func YAML(name string, v any) Section {
	text, err := yaml.Marshal(v)
	if err != nil {
		return Section{Name: name, Text: "cannot be written as YAML: " + err.Error()}
	}
	return Section{Name: name, Text: string(text)}
}

// Produce turns the inputs of a scenario into its outputs. An error ends the scenario: it means
// that the file is wrong. Errors that are part of the story belong into a section.
type Produce func(in *Input) ([]Section, error)

// Run runs every file that matches the pattern as a subtest.
func Run(t *testing.T, pattern string, produce Produce) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenario matches %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			runFile(t, file, produce)
		})
	}
}

func runFile(t *testing.T, file string, produce Produce) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	told, err := retell(text, produce)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if *update && !bytes.Equal(text, told) {
		if err := os.WriteFile(file, told, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), string(told)); diff != "" {
		t.Errorf("%s (-file +came out; -update writes it):\n%s", file, diff)
	}
}

// retell returns the scenario with the outputs that its inputs lead to. A scenario that holds
// is its own retelling, byte for byte.
func retell(text []byte, produce Produce) ([]byte, error) {
	archive := txtar.Parse(text)
	if strings.TrimSpace(string(archive.Comment)) == "" {
		return nil, fmt.Errorf("the scenario does not say why it matters: begin the file with a comment")
	}
	in, files, err := inputs(archive)
	if err != nil {
		return nil, err
	}
	outputs, err := produce(in)
	if err != nil {
		return nil, err
	}
	if unread := in.unread(); len(unread) > 0 {
		return nil, fmt.Errorf("nobody read the sections %s: are their names right?", strings.Join(unread, ", "))
	}
	for _, out := range outputs {
		if isInput(out.Name) {
			return nil, fmt.Errorf("output section %s has the name of an input", out.Name)
		}
		files = append(files, txtar.File{Name: out.Name, Data: []byte(ended(out.Text))})
	}
	return txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: files}), nil
}

// inputs splits off the sections that go in.
func inputs(archive *txtar.Archive) (*Input, []txtar.File, error) {
	in := &Input{sections: map[string][]byte{}, read: map[string]bool{}}
	var files []txtar.File
	for _, f := range archive.Files {
		if !isInput(f.Name) {
			continue
		}
		if _, twice := in.sections[f.Name]; twice {
			return nil, nil, fmt.Errorf("section %s is there twice", f.Name)
		}
		in.sections[f.Name] = f.Data
		files = append(files, f)
	}
	return in, files, nil
}

func isInput(name string) bool { return strings.HasSuffix(name, ".yaml") }

func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// Input is what goes into a scenario.
type Input struct {
	sections map[string][]byte
	read     map[string]bool
}

// Has says whether the scenario holds the section. Asking counts as reading.
func (in *Input) Has(name string) bool {
	_, ok := in.sections[name]
	in.read[name] = true
	return ok
}

// Decode reads a section into a value, strictly: an unknown field is an error. A section that
// the scenario does not hold leaves the value as it is.
func (in *Input) Decode(name string, into any) error {
	if !in.Has(name) {
		return nil
	}
	if err := yaml.UnmarshalStrict(in.sections[name], into); err != nil {
		return fmt.Errorf("decoding section %s: %w", name, err)
	}
	return nil
}

func (in *Input) unread() []string {
	var names []string
	for name := range in.sections {
		if !in.read[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
