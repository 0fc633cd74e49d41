package pack_test

import (
	"archive/tar"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"portico.dev/portico/oci"
	"portico.dev/portico/oci/pack"
)

// program writes an executable whose date differs from one call to the next.
func program(t *testing.T, dir, content string, age time.Duration) string {
	t.Helper()
	file := filepath.Join(dir, "program")
	if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1_000_000_000, 0).Add(age)
	if err := os.Chtimes(file, when, when); err != nil {
		t.Fatal(err)
	}
	return file
}

func images(file string) []pack.Image {
	return []pack.Image{
		{Reference: "portico.local/web:2", Architecture: "amd64", Files: map[string]string{"/home/app/web": file, "/usr/local/bin/cli": file}, Entrypoint: []string{"./web"}, WorkingDir: "/home/app"},
		{Reference: "portico.local/dns:1", Architecture: "amd64", Files: map[string]string{"/dns": file}, Entrypoint: []string{"/dns"}},
	}
}

func TestSameProgramsGiveTheSameImages(t *testing.T) {
	write := func(age time.Duration) []pack.Packed {
		packed, err := pack.Write(filepath.Join(t.TempDir(), "images"), images(program(t, t.TempDir(), "x", age)))
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	first := write(0)
	if diff := cmp.Diff(first, write(time.Hour)); diff != "" {
		t.Errorf("an hour later the images differ (-first +second):\n%s", diff)
	}
	if first[0].Reference != "portico.local/dns:1" || first[0].Digest == first[1].Digest {
		t.Errorf("images are not sorted, or not told apart: %+v", first)
	}
}

func TestWriteReplacesInPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	if _, err := pack.Write(dir, images(program(t, t.TempDir(), "old", 0))); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Write(dir, images(program(t, t.TempDir(), "new", 0))[:1]); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the layout's folder was replaced; machines that have it mounted would see the old one")
	}
	blobs, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		if info, err := b.Info(); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("blob %s: %v, %v; other users have to be able to read it", b.Name(), info.Mode(), err)
		}
	}
	if len(blobs) != 3 {
		t.Errorf("%d blobs are left, want 3: a manifest, a config and a layer", len(blobs))
	}
}

func TestClientsPullWhatWasPacked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	if _, err := pack.Write(dir, images(program(t, t.TempDir(), "hello", 0))); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(oci.Registry(os.DirFS(dir)))
	defer server.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/web:2")
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Errorf("the pulled image is not sound: %v", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != pack.Nonroot || config.Config.WorkingDir != "/home/app" {
		t.Errorf("config = %+v", config.Config)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	want := []string{"etc/", "home/", "home/app/", "usr/", "usr/local/", "usr/local/bin/", "tmp/", "etc/group", "etc/passwd", "home/app/web", "usr/local/bin/cli"}
	if diff := cmp.Diff(want, list(t, content)); diff != "" {
		t.Errorf("the image's files (-want +got):\n%s", diff)
	}
}

func list(t *testing.T, archive io.Reader) (names []string) {
	t.Helper()
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}
