package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico.dev/portico/app/supervise"
	"portico.dev/portico/fleet"
	"portico.dev/portico/process"
)

// unpacked is the program of an engine in an installation of these files.
func unpacked(t *testing.T, files map[string]string) *upstream {
	t.Helper()
	bin := installation(t.TempDir())
	for name, text := range files {
		file := filepath.Join(string(bin), name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := supervise.Program{Spec: process.Spec{Name: "addon-controller", Path: bin.addonController()}}
	return &upstream{plane: &plane{embedded: &embedded{bin: bin}}, engine: "sveltos", kinds: sveltosKinds, program: program}
}

func definition(name string) string {
	return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: " + name + "}\n"
}

func TestProgramIsMissing(t *testing.T) {
	u := unpacked(t, map[string]string{"share/crds/sveltos/a.yaml": definition("a.example.com")})
	err := u.missing()
	if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(fleet.Sentence(err), "the engine sveltos needs addon-controller, which is not in "+u.bin.libexec()+": build it") {
		t.Errorf("missing = %v; want the program, where it should be, and what to do", err)
	}
	u = unpacked(t, map[string]string{"libexec/addon-controller": "", "share/crds/sveltos/a.yaml": ""})
	if err := u.missing(); err != nil {
		t.Errorf("missing = %v although all is there", err)
	}
}

// Two definitions of one kind would replace each other at every start.
func TestKindsOfThePlaneStay(t *testing.T) {
	u := unpacked(t, map[string]string{
		"share/crds/portico/clusters.yaml":        definition("sveltosclusters.lib.projectsveltos.io"),
		"share/crds/sveltos/clusters.yaml":        definition("sveltosclusters.lib.projectsveltos.io"),
		"share/crds/sveltos/profiles.yaml":        definition("profiles.config.projectsveltos.io"),
		"share/crds/helm-controller/release.yaml": definition("profiles.config.projectsveltos.io"),
	})
	read, err := u.read()
	if err != nil {
		t.Fatal(err)
	}
	if len(read) != 1 || read[0].GetName() != "profiles.config.projectsveltos.io" {
		t.Errorf("read %v; want the one kind that is not the plane's", read)
	}
}
