package collect

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

// The program itself accepts each configuration of the scenarios.
func TestCollectorAccepts(t *testing.T) {
	program := collector(t)
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("found %d scenarios: %v", len(stories), err)
	}
	for _, story := range stories {
		var facts Facts
		archive, err := txtar.ParseFile(story)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(archive.Files[0].Data, &facts); err != nil {
			t.Fatal(err)
		}
		facts.Queue.Directory = t.TempDir()
		text, err := Config(facts)
		if err != nil {
			continue // The scenario is about a refusal.
		}
		t.Run(filepath.Base(story), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "collector.yaml")
			if err := os.WriteFile(file, here(t, text), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, append([]string{"validate"}, Arguments(facts, file)...)...)
			cmd.Env = append(os.Environ(), Environment(facts)...)
			cmd.Env = append(cmd.Env, NodeName+"=node-a", NodeIP+"=127.0.0.1", User+"=user", Password+"=password",
				"PORTICO_STORE_USER=user", "PORTICO_STORE_PASSWORD=password")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("portico-collector refuses it: %v\n%s", err, out)
			}
		})
	}
}

// here puts files of this test in the place of those that only a pod or a plane has: the program looks
// whether they exist. Those of a pod's account it reads where they always are, so nobody signs in.
func here(t *testing.T, text []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"token", "ca.crt", "scraper.crt", "scraper.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replaced := strings.NewReplacer("/var/run/secrets/kubernetes.io/serviceaccount/", dir+"/", "/pki/", dir+"/", ": /token", ": "+dir+"/token", "root_path: /hostfs", "root_path: "+dir, "auth_type: serviceAccount", "auth_type: none")
	return []byte(replaced.Replace(string(text)))
}

// collector is the built program; without it the test is skipped.
func collector(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs("../../bin/portico-collector")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("bin/portico-collector is not built: make bin/portico-collector")
	}
	return program
}
