package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"portico.dev/portico/oci"
)

// Packed tells what became of an image.
type Packed struct {
	Reference, Digest string
	// Bytes is the compressed size of the image's layers.
	Bytes int64
}

// Write makes dir an OCI layout of exactly these images, and returns them sorted by reference.
func Write(dir string, images []Image) ([]Packed, error) {
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return nil, err
	}
	to, err := layout.Write(fresh, empty.Index)
	if err != nil {
		return nil, fmt.Errorf("beginning the layout %s: %w", fresh, err)
	}
	images = slices.Clone(images)
	slices.SortFunc(images, func(a, b Image) int { return strings.Compare(a.Reference, b.Reference) })
	var out []Packed
	for _, i := range images {
		packed, err := add(to, i)
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", i.Reference, err)
		}
		out = append(out, packed)
	}
	return out, publish(fresh, dir)
}

func add(to layout.Path, i Image) (Packed, error) {
	img, err := i.build()
	if err != nil {
		return Packed{}, err
	}
	digest, err := img.Digest()
	if err != nil {
		return Packed{}, err
	}
	layers, err := img.Layers()
	if err != nil {
		return Packed{}, err
	}
	packed := Packed{Reference: i.Reference, Digest: digest.String()}
	for _, l := range layers {
		size, err := l.Size()
		if err != nil {
			return Packed{}, err
		}
		packed.Bytes += size
	}
	named := layout.WithAnnotations(map[string]string{oci.RefName: i.Reference})
	return packed, to.AppendImage(img, named)
}

// publish moves the layout in fresh into dir: blobs first, then the index that names them, and
// then it removes the blobs that no index names any more. The folder itself stays, since running
// machines have it mounted, and a reader sees the old images or the new ones.
func publish(fresh, dir string) error {
	blobs := filepath.Join("blobs", "sha256")
	if err := os.MkdirAll(filepath.Join(dir, blobs), 0o755); err != nil {
		return err
	}
	wanted, err := os.ReadDir(filepath.Join(fresh, blobs))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keep := map[string]bool{}
	var moves []string
	for _, b := range wanted {
		keep[b.Name()] = true
		moves = append(moves, filepath.Join(blobs, b.Name()))
	}
	for _, name := range append(moves, "oci-layout", "index.json") {
		// The library writes blobs for its user alone, and others may run what was built here.
		if err := os.Chmod(filepath.Join(fresh, name), 0o644); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(fresh, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	have, err := os.ReadDir(filepath.Join(dir, blobs))
	if err != nil {
		return err
	}
	for _, b := range have {
		if keep[b.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, blobs, b.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(fresh)
}
