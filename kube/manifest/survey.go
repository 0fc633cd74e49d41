package manifest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

//lint:file-ignore SA1019 Kustomizations of others still have the fields that Kustomize calls deprecated

// survey goes through the Kustomizations that one is made of, before Kustomize does: it would
// run git, or ask a web server, for whatever looks like an address.
type survey struct {
	files map[string]string
	// seen is what the Kustomizations have to read that were gone through.
	seen map[string]extent
}

// What one Kustomization may read, with all that it is made of. A base counts as often as it is
// used: Kustomize builds it as often, while all others wait.
const (
	mostFiles = 5_000
	mostBytes = 8 << 20
)

// extent is how much there is to be read.
type extent struct{ files, bytes int }

func (e extent) and(other extent) extent { return extent{e.files + other.files, e.bytes + other.bytes} }

// extentAt is that of a file, or of the Kustomization in a folder.
func (s survey) extentAt(at string) extent {
	if text, isFile := s.files[at]; isFile {
		return extent{1, len(text)}
	}
	return s.seen[at]
}

// extent is that of a Kustomization; those that it refers to were gone through.
func (s survey) extent(dir, file string, refs []reference) extent {
	out := s.extentAt(file)
	counted := map[string]bool{}
	for _, r := range refs {
		if at := path.Join(dir, r.to); r.to != "" && !counted[at] {
			counted[at] = true
			out = out.and(s.extentAt(at))
		}
	}
	return out
}

// folder looks at the Kustomization in a folder, and at those that it refers to.
func (s survey) folder(dir string) error {
	if _, seen := s.seen[dir]; seen {
		return nil
	}
	s.seen[dir] = extent{}
	file, ok := s.kustomization(dir)
	if !ok {
		return fmt.Errorf("the folder %q has no %s", dir, konfig.DefaultKustomizationFileName())
	}
	k := &types.Kustomization{}
	if err := k.Unmarshal([]byte(s.files[file])); err != nil {
		return fmt.Errorf("file %s: %s", file, plain(err))
	}
	if len(k.HelmCharts) > 0 || len(k.HelmChartInflationGenerator) > 0 {
		return fmt.Errorf("file %s: charts are not rendered by Kustomize here: deploy them as Helm services", file)
	}
	all := slices.Concat(parts(k), leaves(k))
	for _, r := range all {
		if remote(r.to) {
			return fmt.Errorf("file %s: %s refers to %s, and nothing is fetched: copy it into the source", file, r.field, r.to)
		}
	}
	for _, r := range parts(k) {
		if err := s.part(dir, r); err != nil {
			return fmt.Errorf("file %s: %s: %w", file, r.field, err)
		}
	}
	reads := s.extent(dir, file, all)
	if reads.files > mostFiles || reads.bytes > mostBytes {
		return fmt.Errorf("file %s: it reads %d files with %d bytes, counting a base as often as it is used, and at most %d files with %d bytes are possible: split it into several services",
			file, reads.files, reads.bytes, mostFiles, mostBytes)
	}
	s.seen[dir] = reads
	return nil
}

func (s survey) kustomization(dir string) (file string, ok bool) {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		at := path.Join(dir, name)
		if _, ok := s.files[at]; ok {
			return at, true
		}
	}
	return "", false
}

// part looks at a file or a folder that a Kustomization is made of.
func (s survey) part(dir string, r reference) error {
	if r.plugin && strings.Contains(r.to, "\n") {
		return plugin(r.to)
	}
	at := path.Join(dir, r.to)
	if at == ".." || strings.HasPrefix(at, "../") || path.IsAbs(r.to) {
		return fmt.Errorf("%s leads out of the source", r.to)
	}
	if text, isFile := s.files[at]; isFile {
		if r.plugin {
			return plugin(text)
		}
		return nil
	}
	for name := range s.files {
		if at == "." || strings.HasPrefix(name, at+"/") {
			return s.folder(at)
		}
	}
	return fmt.Errorf("the source has neither a file nor a folder %s", at)
}

// plugin refuses addresses anywhere in the configuration of a generator or transformer: each
// kind of them has its own fields that name files.
func plugin(text string) error {
	for i, doc := range split(text) {
		config, err := decode(doc)
		if err != nil {
			return fmt.Errorf("document %d: %w", i+1, err)
		}
		if address, ok := addressIn(config); ok {
			return fmt.Errorf("document %d refers to %s, and nothing is fetched: copy it into the source", i+1, address)
		}
	}
	return nil
}

func addressIn(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, remote(v) || remote(afterKey(v))
	case []any:
		for _, item := range v {
			if address, ok := addressIn(item); ok {
				return address, true
			}
		}
	case map[string]any:
		for _, item := range v {
			if address, ok := addressIn(item); ok {
				return address, true
			}
		}
	}
	return "", false
}

// reference is what a field of a Kustomization refers to.
type reference struct {
	field, to string
	// plugin says that it is the configuration of a generator or transformer.
	plugin bool
}

// parts are the references that may be folders with Kustomizations of their own.
func parts(k *types.Kustomization) []reference {
	var all []reference
	for _, list := range []struct {
		field  string
		to     []string
		plugin bool
	}{
		{"resources", k.Resources, false}, {"bases", k.Bases, false}, {"components", k.Components, false},
		{"generators", k.Generators, true}, {"transformers", k.Transformers, true}, {"validators", k.Validators, true},
	} {
		for _, to := range list.to {
			all = append(all, reference{list.field, to, list.plugin})
		}
	}
	return all
}

// leaves are the references to files that Kustomize only reads.
func leaves(k *types.Kustomization) []reference {
	var all []reference
	add := func(field string, to ...string) {
		for _, to := range to {
			all = append(all, reference{field: field, to: afterKey(to)}, reference{field: field, to: to})
		}
	}
	add("crds", k.Crds...)
	add("configurations", k.Configurations...)
	add("openapi.path", k.OpenAPI["path"])
	for _, p := range k.PatchesStrategicMerge {
		add("patchesStrategicMerge", string(p))
	}
	for _, p := range slices.Concat(k.Patches, k.PatchesJson6902) {
		add("patches.path", p.Path)
	}
	for _, r := range k.Replacements {
		add("replacements.path", r.Path)
	}
	sources := func(field string, from types.KvPairSources) {
		add(field+".files", from.FileSources...)
		add(field+".envs", append(slices.Clone(from.EnvSources), from.EnvSource)...)
	}
	for _, g := range k.ConfigMapGenerator {
		sources("configMapGenerator", g.KvPairSources)
	}
	for _, g := range k.SecretGenerator {
		sources("secretGenerator", g.KvPairSources)
	}
	return all
}

// afterKey is the file in "key=file".
func afterKey(ref string) string {
	if _, file, ok := strings.Cut(ref, "="); ok {
		return file
	}
	return ref
}

// remote says whether Kustomize would fetch this. It goes by the form alone, and would fetch
// even where a file of that name exists.
func remote(ref string) bool {
	ref = strings.ToLower(strings.TrimSpace(ref))
	ref = strings.TrimPrefix(ref, "git::")
	for _, prefix := range []string{"http://", "https://", "ssh://", "file://", "github.com/", "github.com:"} {
		if strings.HasPrefix(ref, prefix) {
			return true
		}
	}
	user, _, ok := strings.Cut(ref, "@")
	return ok && user != "" && !strings.ContainsAny(user, "/.:= \n")
}
