package vmalert

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/observability/alert"
)

func TestFolder(t *testing.T) {
	reloads, down := 0, false
	f := Folder{Dir: filepath.Join(t.TempDir(), "rules"), Reload: func(context.Context) error {
		if down {
			return errors.New("no answer")
		}
		reloads++
		return nil
	}}
	file := func(name, text string) alert.File { return alert.File{Name: name, Data: []byte(text)} }
	steps := []struct {
		why     string
		files   []alert.File
		down    bool
		reloads int
	}{
		{"An empty folder of nothing needs no reload.", nil, false, 0},
		{"New files are read.", []alert.File{file("a.yaml", "1"), file("b.yaml", "1")}, false, 1},
		{"The same again is nothing.", []alert.File{file("a.yaml", "1"), file("b.yaml", "1")}, false, 1},
		{"vmalert does not answer.", []alert.File{file("a.yaml", "2")}, true, 1},
		{"What was not read is read later, though no file changes.", []alert.File{file("a.yaml", "2")}, false, 2},
		{"And then no more.", []alert.File{file("a.yaml", "2")}, false, 2},
	}
	for _, s := range steps {
		down = s.down
		if err := f.Apply(t.Context(), s.files); (err != nil) != s.down {
			t.Fatalf("%s: %v", s.why, err)
		}
		var got []alert.File
		paths, err := filepath.Glob(filepath.Join(f.Dir, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, alert.File{Name: filepath.Base(p), Data: text})
		}
		if diff := cmp.Diff(s.files, got); diff != "" || reloads != s.reloads {
			t.Errorf("%s: %d reloads, want %d (-want +got):\n%s", s.why, reloads, s.reloads, diff)
		}
	}
}

// The real vmalert understands all that Merge writes of our rules, with its own strictest check.
func TestVmalertReadsTheDefaults(t *testing.T) {
	program := "../../../bin/libexec/vmalert"
	if _, err := os.Stat(program); err != nil {
		t.Skip("vmalert is not built")
	}
	groups, err := alert.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	rules := alert.Merge(alert.Sources{Defaults: groups})
	f := Folder{Dir: t.TempDir(), Reload: func(context.Context) error { return nil }}
	if err := f.Apply(t.Context(), append(rules.AlertFiles(), rules.RecordFiles("")...)); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(program, "-dryRun", "-rule="+filepath.Join(f.Dir, "*.yaml")).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, said)
	}
}
