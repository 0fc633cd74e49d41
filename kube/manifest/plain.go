package manifest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"portico.dev/portico/fleet"
)

// Plain reads all .yaml, .yml and .json files at or below path, in the order of their names,
// and returns their objects as one YAML stream. Lists are unrolled. An object may stand there
// only once. The error is a fleet.ErrInvalid and names the file and the document within it.
func Plain(files map[string]string, path string) ([]byte, error) {
	names, err := below(files, path)
	if err != nil {
		return nil, err
	}
	var all []found
	for _, name := range names {
		objects, err := read(name, files[name])
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	objects, err := single(all)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("reading manifests: %w: the files below %q hold no object", fleet.ErrInvalid, clean(path))
	}
	return Encode(objects)
}

// below lists the files that may hold manifests, sorted.
func below(files map[string]string, root string) ([]string, error) {
	root = clean(root)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		at := clean(name)
		inside := root == "." || at == root || strings.HasPrefix(at, root+"/")
		if inside && slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("reading manifests: %w: the source has no .yaml, .yml or .json file below %q", fleet.ErrInvalid, root)
	}
	return names, nil
}

// clean makes paths comparable: relative to the source, whatever they begin with.
func clean(name string) string {
	return path.Join(".", path.Clean("/" + name)[1:])
}
