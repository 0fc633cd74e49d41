package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"portico.dev/portico/app/folder"
)

func TestLockIsExclusive(t *testing.T) {
	f := folder.Folder(filepath.Join(t.TempDir(), "new"))
	lock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Sign(lock, 4711); err != nil {
		t.Fatal(err)
	}
	_, err = f.Lock()
	var inUse folder.InUse
	if !errors.As(err, &inUse) || inUse.PID != 4711 {
		t.Errorf("second Lock = %v; want InUse by 4711", err)
	}
	lock.Close()
	again, err := f.Lock()
	if err != nil {
		t.Fatalf("Lock after the holder let go: %v", err)
	}
	again.Close()
}

func TestVersion(t *testing.T) {
	f := folder.Folder(t.TempDir())
	if _, ok, err := f.Version(); ok || err != nil {
		t.Errorf("Version of an unused folder = %v, %v; want none", ok, err)
	}
	want := folder.Version{Layout: folder.Layout, Portico: "v1.2.3"}
	if err := f.SetVersion(want); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := f.Version(); got != want || !ok || err != nil {
		t.Errorf("Version = %+v, %v, %v; want %+v", got, ok, err, want)
	}
}

func TestWriteFileLeavesEqualContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	if err := folder.WriteFile(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteFile(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("equal content was written again (%v)", err)
	}
	if err := folder.WriteFile(path, []byte("y")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "y" {
		t.Errorf("content = %q, %v; want y", b, err)
	}
}
