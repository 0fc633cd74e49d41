package pack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"portico.dev/portico/oci"
)

// Media types of a Helm chart in a registry.
const (
	chartConfig types.MediaType = "application/vnd.cncf.helm.config.v1+json"
	chartLayer  types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// Chart is a Helm chart to be served by a registry.
type Chart struct {
	// Reference is its name with the version as tag, for example charts/podinfo:6.9.2.
	Reference string
	// Meta is its Chart.yaml as JSON.
	Meta []byte
	// Archive is the chart as a tar.gz.
	Archive []byte
}

// WriteCharts makes dir an OCI layout of exactly these charts, and returns them sorted by
// reference.
func WriteCharts(dir string, charts []Chart) ([]Packed, error) {
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return nil, err
	}
	to, err := layout.Write(fresh, empty.Index)
	if err != nil {
		return nil, fmt.Errorf("beginning the layout %s: %w", fresh, err)
	}
	charts = slices.SortedFunc(slices.Values(charts), func(a, b Chart) int { return strings.Compare(a.Reference, b.Reference) })
	var out []Packed
	for _, c := range charts {
		img, err := c.image()
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", c.Reference, err)
		}
		digest, err := img.Digest()
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", c.Reference, err)
		}
		named := layout.WithAnnotations(map[string]string{oci.RefName: c.Reference})
		if err := to.AppendImage(img, named); err != nil {
			return nil, fmt.Errorf("packing %s: %w", c.Reference, err)
		}
		out = append(out, Packed{Reference: c.Reference, Digest: digest.String(), Bytes: int64(len(c.Archive))})
	}
	return out, publish(fresh, dir)
}

// image is the chart as an OCI artifact: an image whose configuration is the chart's metadata and
// whose only layer is its archive.
func (c Chart) image() (v1.Image, error) {
	layer := static.NewLayer(c.Archive, chartLayer)
	content, err := partial.Descriptor(layer)
	if err != nil {
		return nil, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(c.Meta))
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        v1.Descriptor{MediaType: chartConfig, Digest: digest, Size: size},
		Layers:        []v1.Descriptor{*content},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(artifact{manifest: manifest, config: c.Meta, layer: layer})
}

// artifact is an image of one layer whose parts are all at hand.
type artifact struct {
	manifest, config []byte
	layer            v1.Layer
}

// RawManifest fulfils partial.CompressedImageCore.
func (a artifact) RawManifest() ([]byte, error) { return a.manifest, nil }

// RawConfigFile fulfils partial.CompressedImageCore.
func (a artifact) RawConfigFile() ([]byte, error) { return a.config, nil }

// MediaType fulfils partial.CompressedImageCore.
func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// LayerByDigest fulfils partial.CompressedImageCore.
func (a artifact) LayerByDigest(v1.Hash) (partial.CompressedLayer, error) { return a.layer, nil }
