package guest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/pki"
)

// kubelet insists on a certificate that it has rotated to, even if that ran out while the machine
// was off and the one in its kubeconfig was renewed.
func TestDropExpired(t *testing.T) {
	now := time.Now()
	authority, err := pki.NewAuthority("test", 1000*time.Hour, now.Add(-48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	issued := func(at time.Time) []byte {
		pair, err := authority.Issue(pki.Leaf{CommonName: "system:node:a", Usage: pki.Client, Validity: 24 * time.Hour}, at)
		if err != nil {
			t.Fatal(err)
		}
		return append(bytes.Clone(pair.Certificate), pair.Key...)
	}
	for _, tc := range []struct {
		name, why string
		content   []byte
		kept      bool
	}{
		{"Valid", "It is newer than the one in the kubeconfig.", issued(now), true},
		{"Expired", "The API server would refuse it for ever.", issued(now.Add(-47 * time.Hour)), false},
		{"Empty", "A crash while writing left nothing to insist on.", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "current.pem")
			if err := os.WriteFile(file, tc.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := dropExpired(file); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); (err == nil) != tc.kept {
				t.Errorf("%s\nafter dropExpired: %v; want it kept: %t", tc.why, err, tc.kept)
			}
		})
	}
	if err := dropExpired(filepath.Join(t.TempDir(), "none")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dropExpired before the first rotation: %v", err)
	}
}

// A machine runs once, whatever crashed and was started again meanwhile.
func TestTake(t *testing.T) {
	file := filepath.Join(t.TempDir(), LockFile)
	first, err := take(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take(file); err == nil {
		t.Error("the machine was taken twice")
	}
	first.Close()
	second, err := take(file)
	if err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	second.Close()
}
