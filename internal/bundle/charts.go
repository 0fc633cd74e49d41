package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/oci/pack"
	"portico.dev/portico/templates"
)

// podinfoModule holds podinfo's chart beside its program; engines/podinfo pins it.
const podinfoModule = "github.com/stefanprodan/podinfo"

// charts packs all charts of the bundle.
func charts(out string) error {
	all, err := templates.Charts()
	if err != nil {
		return err
	}
	podinfo, err := podinfoChart()
	if err != nil {
		return fmt.Errorf("chart of podinfo: %w", err)
	}
	var packed []pack.Chart
	for _, c := range append(all, podinfo) {
		p, err := packChart(c)
		if err != nil {
			return fmt.Errorf("packing chart %s: %w", c.Name, err)
		}
		packed = append(packed, p)
	}
	dir := filepath.Join(out, "charts")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	done, err := pack.WriteCharts(dir, packed)
	if err != nil {
		return err
	}
	for _, p := range done {
		fmt.Printf("%-32s %s %6d bytes\n", p.Reference, p.Digest, p.Bytes)
	}
	return nil
}

// podinfoChart reads podinfo's chart as its authors published it.
func podinfoChart() (templates.Chart, error) {
	m, err := locate(filepath.Join("engines", "podinfo"), podinfoModule)
	if err != nil {
		return templates.Chart{}, err
	}
	c, err := templates.ReadChart(os.DirFS(filepath.Join(m.Dir, "charts", "podinfo")))
	if err != nil {
		return templates.Chart{}, err
	}
	if c.Version != templates.PodinfoVersion {
		return templates.Chart{}, fmt.Errorf("%s %s has version %s, our ServiceTemplate names %s: change PodinfoVersion in package templates", m.Path, m.Version, c.Version, templates.PodinfoVersion)
	}
	return c, nil
}

func packChart(c templates.Chart) (pack.Chart, error) {
	meta, err := yaml.YAMLToJSON(c.Meta)
	if err != nil {
		return pack.Chart{}, err
	}
	var data bytes.Buffer
	if err := archive.Pack(&data, c.Files); err != nil {
		return pack.Chart{}, err
	}
	return pack.Chart{
		Reference: templates.Repository + "/" + c.Name + ":" + c.Version,
		Meta:      meta,
		Archive:   data.Bytes(),
	}, nil
}
