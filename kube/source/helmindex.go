package source

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// index is what we need of a Helm repository's index.yaml.
type index struct {
	Entries map[string][]indexEntry `json:"entries"`
}

// indexEntry is one version of a chart.
type indexEntry struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

func parseIndex(data []byte) (index, error) {
	var ix index
	if err := yaml.Unmarshal(data, &ix); err != nil {
		return index{}, fmt.Errorf("it is not YAML: %w", err)
	}
	if ix.Entries == nil {
		return index{}, errors.New("it is not the index of a Helm repository: it has no entries")
	}
	return ix, nil
}

// choose picks a version of a chart.
func (ix index) choose(chart, want string) (indexEntry, error) {
	entries, ok := ix.Entries[chart]
	if !ok {
		return indexEntry{}, fmt.Errorf("chart %q is not in the repository; %s", chart, offer(slices.Sorted(maps.Keys(ix.Entries))))
	}
	var versions []string
	for _, e := range entries {
		versions = append(versions, e.Version)
	}
	version, err := choose(versions, want)
	if err != nil {
		return indexEntry{}, fmt.Errorf("chart %q: %w", chart, err)
	}
	entry := entries[slices.Index(versions, version)]
	if len(entry.URLs) == 0 {
		return indexEntry{}, fmt.Errorf("chart %q %s: the repository's index names no address for it", chart, version)
	}
	return entry, nil
}

// address is where the entry's archive is. An index may name it relative to the repository.
func (e indexEntry) address(repository string) (string, error) {
	base, err := url.Parse(strings.TrimSuffix(repository, "/") + "/")
	if err != nil {
		return "", err
	}
	ref, err := url.Parse(e.URLs[0])
	if err != nil {
		return "", err
	}
	address := base.ResolveReference(ref)
	// A repository that needs a query (a token, say) needs it for its charts too.
	if address.RawQuery == "" && !ref.IsAbs() {
		address.RawQuery = base.RawQuery
	}
	return address.String(), nil
}
