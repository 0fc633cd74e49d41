package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/kube/source/archive"
)

func TestPackIsReproducible(t *testing.T) {
	files := []archive.File{{Name: "b/run", Mode: 0o755, Data: []byte("2")}, {Name: "a", Data: []byte("1")}}
	var one, two, three bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		if err := archive.Pack(w, files); err != nil {
			t.Fatal(err)
		}
		files[0], files[1] = files[1], files[0]
	}
	dir := t.TempDir()
	if err := archive.Unpack(bytes.NewReader(one.Bytes()), dir); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1, 0)
	if err := os.Chtimes(filepath.Join(dir, "a"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := archive.PackDir(&three, dir, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) || !bytes.Equal(one.Bytes(), three.Bytes()) {
		t.Error("the order of files, their times, or the way through a folder changes the bytes")
	}
}

func TestPackDirLeavesOut(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"keep/a", "keep/b.png", "drop/c"} {
		write(t, filepath.Join(dir, name))
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	err := archive.PackDir(&packed, dir, func(name string, isDir bool) bool {
		return name != "drop" && !strings.HasSuffix(name, ".png")
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"keep/a"}, names(t, packed.Bytes())); diff != "" {
		t.Errorf("links, dropped folders and dropped files are not packed (-want +got):\n%s", diff)
	}
}

func TestUnpackStaysInside(t *testing.T) {
	for _, name := range []string{"../out", "/etc/x", "a/../../out"} {
		dir := t.TempDir()
		if err := archive.Unpack(bytes.NewReader(tgz(t, name)), dir); err == nil {
			t.Errorf("an archive with %q was unpacked", name)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("an archive with %q left %v", name, entries)
		}
	}
}

// A folder that is a link outward must not lead a later entry out.
func TestUnpackIgnoresLinks(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	if err := archive.Unpack(bytes.NewReader(tgz(t, "d/x")), dir); err == nil {
		t.Error("an entry was written through a link")
	}
	if _, err := os.Stat(filepath.Join(outside, "x")); err == nil {
		t.Error("a file came to lie outside")
	}
}

func TestFilesBounds(t *testing.T) {
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	w := tar.NewWriter(zip)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "big", Size: archive.MaxSize + 1, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Files(&data); err == nil || !strings.Contains(err.Error(), "more than 512 MiB") {
		t.Errorf("an archive that says it is huge is not refused: %v", err)
	}
}

func tgz(t *testing.T, name string) []byte {
	t.Helper()
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	w := tar.NewWriter(zip)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func write(t *testing.T, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), fs.FileMode(0o644)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, packed []byte) []string {
	t.Helper()
	files, err := archive.Files(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		out = append(out, f.Name)
	}
	return out
}
