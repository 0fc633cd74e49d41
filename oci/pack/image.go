package pack

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Nonroot is the user that images run as unless they say otherwise.
const Nonroot = "65532:65532"

// Image says what is in an image.
type Image struct {
	// Reference is the image's full name with its tag.
	Reference string
	// Architecture is Go's name of the processor that the programs were built for.
	Architecture string
	// Files maps an absolute path in the image to a file of the building machine.
	Files map[string]string
	// Entrypoint is the command of the image.
	Entrypoint []string
	// WorkingDir defaults to "/".
	WorkingDir string
	// User defaults to Nonroot.
	User string
}

func (i Image) build() (v1.Image, error) {
	content, err := i.tar()
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", i.Architecture
	config.Config = v1.Config{
		Entrypoint: i.Entrypoint,
		User:       or(i.User, Nonroot),
		WorkingDir: or(i.WorkingDir, "/"),
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
	}
	return mutate.ConfigFile(img, config)
}

// tar holds the image's files with every folder above them, each owned by root and dated to
// the beginning of time.
func (i Image) tar() ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	accounts := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n",
		"/etc/group":  "root:x:0:\nnonroot:x:65532:\n",
	}
	paths := []string{"/etc/group", "/etc/passwd"}
	for p := range i.Files {
		paths = append(paths, p)
	}
	for _, dir := range folders(append(paths, or(i.WorkingDir, "/")+"/.")) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return nil, err
	}
	slices.Sort(paths)
	for _, p := range paths {
		content, mode := []byte(accounts[p]), fs.FileMode(0o644)
		if source, ok := i.Files[p]; ok {
			var err error
			if content, mode, err = read(source); err != nil {
				return nil, fmt.Errorf("packing %s: %w", i.Reference, err)
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: p[1:], Mode: int64(mode), Size: int64(len(content))}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// read returns a file and 0755 or 0644: who else may write it on the building machine depends
// on that machine's umask and is not part of the image.
func read(file string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, 0, err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	content, err := os.ReadFile(file)
	return content, mode, err
}

// folders returns every folder above the paths, outermost first.
func folders(paths []string) []string {
	var out []string
	for _, p := range paths {
		for dir := path.Dir(path.Clean(p)); dir != "/" && dir != "."; dir = path.Dir(dir) {
			out = append(out, dir)
		}
		if clean, ok := strings.CutSuffix(p, "/."); ok && clean != "" && clean != "/" {
			out = append(out, path.Clean(clean))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func or(value, standard string) string {
	if value == "" {
		return standard
	}
	return value
}
