package helm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"portico.dev/portico/fleet"
)

// Chart is a chart that was read once and is never changed. It is safe for concurrent use.
type Chart struct {
	digest string
	size   int
	raw    *chartv2.Chart
	rules  *rules
	// asksAPIs says that a template reads the list of the cluster's API versions, which is
	// the one costly thing to know before rendering.
	asksAPIs bool
}

// Summary is what a chart says about itself.
type Summary struct {
	Name, Version, AppVersion, Description string
	// KubeVersion is the chart's constraint on the cluster's version; empty means any.
	KubeVersion string
	// Annotations are those of Chart.yaml.
	Annotations map[string]string
	// Defaults are the values of values.yaml.
	Defaults Values
	// Schema is values.schema.json, empty when the chart has none.
	Schema []byte
}

// Load reads a chart from its packaged form (tar, gzip). It returns fleet.ErrInvalid when
// the archive is not a chart.
func Load(archive []byte) (*Chart, error) {
	raw, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("reading the chart's archive: %w: %w", fleet.ErrInvalid, err)
	}
	rules, err := newRules(raw)
	if err != nil {
		return nil, fmt.Errorf("reading chart %s: %w", raw.Name(), err)
	}
	sum := sha256.Sum256(archive)
	return &Chart{
		digest:   "sha256:" + hex.EncodeToString(sum[:]),
		size:     weight(raw),
		raw:      raw,
		rules:    rules,
		asksAPIs: asksAPIs(raw),
	}, nil
}

// Digest identifies the chart's content, in the form "sha256:…".
func (c *Chart) Digest() string { return c.digest }

// Name is the chart's name.
func (c *Chart) Name() string { return c.raw.Name() }

// Version is the chart's version.
func (c *Chart) Version() string { return c.raw.Metadata.Version }

// Summary describes the chart. A chart that only wraps a dependency of its own name and
// version, as service catalogues do, is described by that dependency.
func (c *Chart) Summary() Summary {
	inner := wrapped(c.raw)
	defaults := inner.Values
	schema := c.raw.Schema
	if len(schema) == 0 {
		schema = inner.Schema
	}
	return Summary{
		Name:        c.raw.Name(),
		Version:     c.raw.Metadata.Version,
		AppVersion:  c.raw.AppVersion(),
		Description: inner.Metadata.Description,
		KubeVersion: c.raw.Metadata.KubeVersion,
		Annotations: maps.Clone(c.raw.Metadata.Annotations),
		Defaults:    copyValues(defaults),
		Schema:      bytes.Clone(schema),
	}
}

func wrapped(c *chartv2.Chart) *chartv2.Chart {
	for _, d := range c.Dependencies() {
		if d.Name() == c.Name() && d.Metadata.Version == c.Metadata.Version {
			return d
		}
	}
	return c
}

// clone gives Helm a chart of its own: Helm changes the metadata, the values and the list
// of dependencies of a chart while it renders. Files are shared, they are only read.
func (c *Chart) clone() *chartv2.Chart { return cloneChart(c.raw) }

func cloneChart(c *chartv2.Chart) *chartv2.Chart {
	out := *c
	metadata := *c.Metadata
	metadata.Dependencies = nil
	for _, d := range c.Metadata.Dependencies {
		dependency := *d
		metadata.Dependencies = append(metadata.Dependencies, &dependency)
	}
	out.Metadata = &metadata
	out.Values = copyValues(c.Values)
	children := make([]*chartv2.Chart, 0, len(c.Dependencies()))
	for _, d := range c.Dependencies() {
		children = append(children, cloneChart(d))
	}
	out.SetDependencies(children...)
	return &out
}

// family lists a chart and all charts below it, the chart first.
func family(c *chartv2.Chart) []*chartv2.Chart {
	all := []*chartv2.Chart{c}
	for _, d := range c.Dependencies() {
		all = append(all, family(d)...)
	}
	return all
}

func asksAPIs(c *chartv2.Chart) bool {
	return slices.ContainsFunc(family(c), func(c *chartv2.Chart) bool {
		for _, t := range c.Templates {
			if strings.Contains(string(t.Data), "APIVersions") {
				return true
			}
		}
		return false
	})
}

// weight is the number of bytes that a chart keeps in memory, roughly: Raw holds every
// file, and the other lists share its bytes.
func weight(c *chartv2.Chart) int {
	n := 0
	for _, c := range family(c) {
		for _, f := range c.Raw {
			n += len(f.Data)
		}
	}
	return n
}
