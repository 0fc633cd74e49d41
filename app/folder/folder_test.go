package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

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

func TestEmpty(t *testing.T) {
	tests := []struct {
		file, why string
		want      bool
	}{
		{"lock", "Locking makes it, before anything is known.", true},
		{"portico.yaml", "The user's configuration comes before the first start.", true},
		{".version.123456", "A start that was killed while it wrote the version leaves it.", true},
		{"plane.yaml", "It comes after the version, so a folder with it alone is not ours.", false},
		{"photos", "reset would delete them.", false},
	}
	for _, tt := range tests {
		f := folder.Folder(t.TempDir())
		if err := os.WriteFile(filepath.Join(string(f), tt.file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Empty(); err != nil || got != tt.want {
			t.Errorf("with %s Empty = %v, %v; want %v: %s", tt.file, got, err, tt.want, tt.why)
		}
	}
}

// A removal that is interrupted leaves a folder that is still known to be portico's.
func TestRemoveVersionLast(t *testing.T) {
	f := folder.Folder(filepath.Join(t.TempDir(), "data"))
	lock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := errors.Join(f.SetVersion(folder.Version{Layout: folder.Layout}), os.MkdirAll(filepath.Join(string(f), "zz", "stuck"), 0o700)); err != nil {
		t.Fatal(err)
	}
	stuck := filepath.Join(string(f), "zz", "stuck")
	release := hold(t, stuck)
	if err := f.Remove(); err == nil {
		t.Fatal("removing what is held gives no error: the test proves nothing")
	}
	if _, ours, err := f.Version(); !ours || err != nil {
		t.Errorf("after an interrupted removal the folder has a version: %v, %v; want it", ours, err)
	}
	release()
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(string(f)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there (%v)", err)
	}
}

// hold keeps dir from being removed, which needs a mount for root, until release.
func hold(t *testing.T, dir string) (release func()) {
	t.Helper()
	if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("needs root, to mount something: %v", err)
	}
	release = sync.OnceFunc(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return release
}

// A disk of its own for the data is a mount point that we have not made.
func TestRemoveMountPoint(t *testing.T) {
	f := folder.Folder(t.TempDir())
	hold(t, string(f))
	if err := f.SetVersion(folder.Version{Layout: folder.Layout}); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(); err != nil {
		t.Fatalf("Remove = %v; want the mount point left, empty", err)
	}
	if entries, err := os.ReadDir(string(f)); err != nil || len(entries) != 0 {
		t.Errorf("left = %v, %v; want nothing", entries, err)
	}
}

func TestMountBelow(t *testing.T) {
	const mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 22 8:2 / /data rw - ext4 /dev/sdb1 rw\n32 31 0:5 / /data/machines/a rw - tmpfs none rw\n33 22 0:6 / /data2/x rw - tmpfs none rw\n34 22 0:7 / /my\\040data/x rw - tmpfs none rw\n"
	for of, want := range map[folder.Folder]string{"/data": "/data/machines/a", "/data2": "/data2/x", "/my data": "/my data/x", "/other": "", "/data/machines/a": ""} {
		if got := of.MountBelow(mounts); got != want {
			t.Errorf("MountBelow of %s = %q; want %q", of, got, want)
		}
	}
}
