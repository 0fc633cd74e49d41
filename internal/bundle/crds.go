package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"

	"sigs.k8s.io/controller-tools/pkg/crd"
	"sigs.k8s.io/controller-tools/pkg/genall"
)

// Modules whose definitions we install.
const (
	fluxModule       = "github.com/fluxcd/source-controller/api"
	fluxPackage      = fluxModule + "/v1"
	generatorModule  = "sigs.k8s.io/controller-tools"
	clusterAPIModule = "sigs.k8s.io/cluster-api"
)

// ownCRDs copies the definitions of our kinds.
func ownCRDs(out string) error {
	files, err := glob(filepath.Join("deploy", "crds", "*.yaml"))
	if err != nil {
		return err
	}
	return put("Portico", filepath.Join(out, "crds", "portico"), files)
}

// clusterAPI copies definitions and webhooks out of the module that engines/cluster-api builds.
func clusterAPI(out string) error {
	m, err := locate(filepath.Join("engines", "cluster-api"), clusterAPIModule)
	if err != nil {
		return err
	}
	files, err := glob(filepath.Join(m.Dir, "core", "config", "crd", "bases", "*.yaml"))
	if err != nil {
		return err
	}
	webhooks, err := os.ReadFile(filepath.Join(m.Dir, "core", "config", "webhook", "manifests.yaml"))
	if err != nil {
		return err
	}
	files["manifests.yaml"] = webhooks
	return put("Cluster API "+m.Version, filepath.Join(out, "crds", "cluster-api"), files)
}

// fluxCRDs makes definitions from Flux's Go types. That takes seconds, so a note beside them says
// from which versions they were made.
func fluxCRDs(out string) error {
	flux, generator := linked(fluxModule), linked(generatorModule)
	name, dir := "Flux's sources "+flux, filepath.Join(out, "crds", "flux")
	made := fmt.Sprintf("%s %s, %s %s\n", fluxModule, flux, generatorModule, generator)
	const note = "VERSION"
	if was, err := os.ReadFile(filepath.Join(dir, note)); err == nil && string(was) == made {
		fmt.Printf("%s: up to date\n", name)
		return nil
	}
	files, err := generate(fluxPackage)
	if err != nil {
		return fmt.Errorf("making definitions from %s: %w", fluxPackage, err)
	}
	for file, data := range files {
		files[file] = signed.ReplaceAll(data, []byte("${1}"+generator))
	}
	files[note] = []byte(made)
	return put(name, dir, files)
}

// signed finds where the generator names itself. It does not know its version when it is a library.
var signed = regexp.MustCompile(`(controller-gen\.kubebuilder\.io/version: ).*`)

// generate makes the definitions of a Go package's kinds.
func generate(pkg string) (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "portico-crds-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var generator genall.Generator = crd.Generator{}
	gen, err := genall.Generators{&generator}.ForRoots(pkg)
	if err != nil {
		return nil, err
	}
	gen.OutputRules = genall.OutputRules{Default: genall.OutputToDirectory(dir)}
	gen.ErrorWriter = os.Stderr
	if gen.Run() {
		return nil, errors.New("the generator reported errors, see above")
	}
	return glob(filepath.Join(dir, "*.yaml"))
}

// linked is the version of a module that this program was built with.
func linked(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == module })
	if i < 0 {
		return ""
	}
	return info.Deps[i].Version
}

func glob(pattern string) (map[string][]byte, error) {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no such files", pattern)
	}
	files := map[string][]byte{}
	for _, file := range found {
		if files[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// put makes dir hold exactly these files, and says whether anything changed.
func put(name, dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	changes := 0
	for _, file := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(dir, file)
		if was, err := os.ReadFile(to); err == nil && bytes.Equal(was, files[file]) {
			continue
		}
		if err := os.WriteFile(to, files[file], 0o644); err != nil {
			return err
		}
		changes++
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, wanted := files[e.Name()]; wanted || e.IsDir() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		changes++
	}
	if changes == 0 {
		fmt.Printf("%s: up to date\n", name)
		return nil
	}
	fmt.Printf("%s: %d files in %s\n", name, len(files), dir)
	return nil
}
