package docs_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

// What the page of the command line shows of the commands about the plane, and of those that ask
// the HTTP API, is what they print: it stands so in a scenario of package cli.
func TestOutputs(t *testing.T) {
	printed := scenarios(t)
	count := 0
	for _, p := range pages(t) {
		if p.path != "cli.md" {
			continue
		}
		for _, b := range p.blocks() {
			command, output, _ := strings.Cut(b.text, "\n")
			args, ours := strings.CutPrefix(command, "$ portico ")
			if !ours || !slices.Contains([]string{"up", "down", "status", "reset", "kubeconfig", "link", "config", "version", "fleet", "logs", "metrics", "trace", "alert", "cost", "budget"}, strings.Fields(args)[0]) {
				continue
			}
			count++
			if !slices.Contains(printed[args], output) {
				t.Errorf("%s:%d: no scenario of %q prints this; they print\n%s", p.path, b.line, args, strings.Join(printed[args], "--\n"))
			}
		}
	}
	if count < 8 {
		t.Errorf("found %d outputs: they are not read", count)
	}
}

// scenarios are what the commands print in the scenarios of package cli, by command line.
func scenarios(t *testing.T) map[string][]string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../cli/testdata/*.txtar", "../cli/testdata/api/*.txtar"} {
		some, err := filepath.Glob(pattern)
		if err != nil || len(some) == 0 {
			t.Fatalf("found %d scenarios of %s, %v", len(some), pattern, err)
		}
		files = append(files, some...)
	}
	all := map[string][]string{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var world struct{ Args []string }
		var printed string
		for _, section := range archive.Files {
			switch section.Name {
			case "world.yaml":
				if err := yaml.Unmarshal(section.Data, &world); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			case "stdout", "stderr":
				printed += string(section.Data)
			}
		}
		line := strings.Join(world.Args, " ")
		all[line] = append(all[line], printed)
	}
	return all
}
