package installed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/clusters/installed"
	"portico.dev/portico/fleet"
)

// program puts a program of a name into folder that says it is of a version.
func program(t *testing.T, folder, name, version string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\necho "+version+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	folder := t.TempDir()
	programs := installed.New(folder)
	if _, err := programs.Find("v1.36.4"); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "put portico-kube into "+folder) {
		t.Errorf("Find in an empty folder: %v; want an error that is invalid and says what to do", err)
	}
	program(t, folder, "portico-kube", "v1.36.4")
	program(t, folder, "portico-kube-v1.35.9", "")
	for _, tc := range []struct{ version, want, why string }{
		{"v1.36.4", "portico-kube", "The plain program is of the version that it says."},
		{"v1.35.9", "portico-kube-v1.35.9", "Another is of the version that its name says."},
	} {
		if path, err := programs.Find(tc.version); err != nil || path != filepath.Join(folder, tc.want) {
			t.Errorf("%s\nFind(%s) = %s, %v", tc.why, tc.version, path, err)
		}
	}
	_, err := programs.Find("v1.34.0")
	if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "choose one of v1.35.9, v1.36.4, or install portico-kube-v1.34.0") {
		t.Errorf("Find of a version that is missing: %v; want the versions that are there", err)
	}
	program(t, folder, "portico-kube-v1.36.4", "")
	if path, err := programs.Find("v1.36.4"); err != nil || filepath.Base(path) != "portico-kube-v1.36.4" {
		t.Errorf("Find(v1.36.4) = %s, %v; want the one whose name says it", path, err)
	}
}

// A status says "install portico-kube-<version>": whoever does so is noticed.
func TestWatch(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	program(t, elsewhere, "moved", "v1.35.9")
	ctx, cancel := context.WithCancel(t.Context())
	rings, ended := make(chan struct{}, 100), make(chan error, 1)
	programs := installed.New(folder)
	go func() { ended <- programs.Watch(ctx, func() { rings <- struct{}{} }) }()
	rang := func(within time.Duration) bool {
		select {
		case <-rings:
			return true
		case <-time.After(within):
			return false
		}
	}
	// Until it rings once, nobody knows whether it looks already.
	for deadline := time.Now().Add(20 * time.Second); ; {
		program(t, folder, "portico-kube-v1.34.0", "")
		if rang(time.Second) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a copied program is not noticed")
		}
	}
	quiet := func() {
		for rang(time.Second) {
		}
	}
	quiet()
	for _, tc := range []struct {
		why string
		do  func() error
	}{
		{"It was moved here.", func() error {
			return os.Rename(filepath.Join(elsewhere, "moved"), filepath.Join(folder, "portico-kube-v1.35.9"))
		}},
		{"It is a link.", func() error {
			return os.Symlink("portico-kube-v1.35.9", filepath.Join(folder, "portico-kube-v1.35.10"))
		}},
		{"It is gone.", func() error { return os.Remove(filepath.Join(folder, "portico-kube-v1.35.9")) }},
	} {
		if err := tc.do(); err != nil {
			t.Fatal(err)
		}
		if !rang(20 * time.Second) {
			t.Errorf("%s\nIt is not noticed.", tc.why)
		}
		quiet()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Watch ended with %v", err)
	}
}
