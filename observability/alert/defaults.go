package alert

import (
	"cmp"
	"embed"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"
)

//go:embed defaults/*.yaml
var defaultFiles embed.FS

// Defaults are Portico's own rules, sorted by group.
func Defaults() ([]Group, error) {
	entries, err := defaultFiles.ReadDir("defaults")
	if err != nil {
		return nil, fmt.Errorf("listing Portico's rules: %w", err)
	}
	var out []Group
	for _, e := range entries {
		text, err := defaultFiles.ReadFile("defaults/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading Portico's rules: %w", err)
		}
		var c fileContent
		if err := yaml.UnmarshalStrict(text, &c); err != nil {
			return nil, fmt.Errorf("reading Portico's rules %s: %w", e.Name(), err)
		}
		out = append(out, c.Groups...)
	}
	slices.SortFunc(out, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
