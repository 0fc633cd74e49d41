package identity_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/pki"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func site(t *testing.T) identity.Site {
	return identity.Site{Folder: folder.Folder(t.TempDir()), Host: "127.0.0.1", Server: "https://127.0.0.1:7443"}
}

func contents(t *testing.T, s identity.Site) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Folder.Identity("*"), "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files = %v, %v", files, err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[f] = b
	}
	return all
}

func ensure(t *testing.T, s identity.Site, at time.Time) time.Time {
	t.Helper()
	next, err := s.Ensure(at)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestEnsureTwiceIsEnsureOnce(t *testing.T) {
	s := site(t)
	next := ensure(t, s, now)
	if !next.After(now.AddDate(0, 6, 0)) || !next.Before(now.AddDate(1, 0, 0)) {
		t.Errorf("next = %v; want within the second half of the year after %v", next, now)
	}
	before := contents(t, s)
	ensure(t, s, now.Add(time.Hour))
	for file, content := range contents(t, s) {
		if !bytes.Equal(before[file], content) {
			t.Errorf("%s was made anew although it will do", file)
		}
	}
}

func TestRenewedWhenDue(t *testing.T) {
	s := site(t)
	next := ensure(t, s, now)
	before := contents(t, s)
	if later := ensure(t, s, next); !later.After(next) {
		t.Errorf("after renewal next = %v; want after %v", later, next)
	}
	for file, content := range contents(t, s) {
		renewed := !bytes.Equal(before[file], content)
		if want := filepath.Base(file) != "kubeconfig"; renewed != want {
			t.Errorf("%s renewed: %v; want %v", file, renewed, want)
		}
	}
}

func TestEachItsOwnUser(t *testing.T) {
	s := site(t)
	ensure(t, s, now)
	authority, err := s.Authority(now)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range identity.All() {
		b, err := os.ReadFile(s.Files(p).Client)
		if err != nil {
			t.Fatal(err)
		}
		leaf := pki.Leaf{CommonName: "portico:" + p.Name, Usage: pki.Client}
		if p == identity.Admin {
			leaf.Organizations = []string{"system:masters"}
		}
		if why := authority.Check(pki.ParseBundle(b), leaf, now); why != "" {
			t.Errorf("client certificate of %s: %s", p.Name, why)
		}
	}
}
