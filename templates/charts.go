package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/kube/source/archive"
)

// "all:" because the names of partial templates begin with an underscore.
//
//go:embed all:cluster all:provider all:service
var files embed.FS

// Chart is one chart of the bundle.
type Chart struct {
	// Name and Version are those of its Chart.yaml.
	Name, Version string
	// Meta is its Chart.yaml.
	Meta []byte
	// Files are all its files, below a folder of its name, as in a chart's archive.
	Files []archive.File
}

// Charts returns our own charts, sorted by path.
func Charts() ([]Chart, error) {
	dirs, err := fs.Glob(files, "*/*/Chart.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing charts: %w", err)
	}
	charts := make([]Chart, 0, len(dirs))
	for _, file := range dirs {
		below, err := fs.Sub(files, path.Dir(file))
		if err != nil {
			return nil, fmt.Errorf("reading chart %s: %w", path.Dir(file), err)
		}
		c, err := ReadChart(below)
		if err != nil {
			return nil, fmt.Errorf("reading chart %s: %w", path.Dir(file), err)
		}
		charts = append(charts, c)
	}
	return charts, nil
}

// ReadChart reads a chart's folder.
func ReadChart(dir fs.FS) (Chart, error) {
	meta, err := fs.ReadFile(dir, "Chart.yaml")
	if err != nil {
		return Chart{}, err
	}
	var named struct{ Name, Version string }
	if err := yaml.Unmarshal(meta, &named); err != nil {
		return Chart{}, fmt.Errorf("reading Chart.yaml: %w", err)
	}
	if named.Name == "" || named.Version == "" {
		return Chart{}, errors.New("no name or no version in Chart.yaml")
	}
	c := Chart{Name: named.Name, Version: named.Version, Meta: meta}
	err = fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dir, name)
		c.Files = append(c.Files, archive.File{Name: path.Join(c.Name, name), Data: data})
		return err
	})
	return c, err
}

// Dashed is a version in the form that names of objects use: 1.0.0 is 1-0-0.
func Dashed(version string) string {
	return strings.ToLower(strings.NewReplacer(".", "-", "+", "-").Replace(version))
}
