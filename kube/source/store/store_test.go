package store_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/kube/source/store"
)

func open(t *testing.T) (*store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.New(dir, "http://127.0.0.1:9790/")
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func put(t *testing.T, s *store.Store, name, content string) store.Written {
	t.Helper()
	w, err := s.Put(t.Context(), name, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

const (
	file   = "helmchart/ns/web/web-1.0.0.tgz"
	abcSum = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
)

func TestPut(t *testing.T) {
	s, dir := open(t)
	if diff := cmp.Diff(store.Written{Digest: abcSum, Size: 3}, put(t, s, file, "abc")); diff != "" {
		t.Errorf("Put (-want +got):\n%s", diff)
	}
	if !s.Holds(file, abcSum) || s.Holds(file, "sha256:other") {
		t.Error("Holds does not compare the content")
	}
	if name, ours := s.PathOf(s.URL(file)); name != file || !ours {
		t.Errorf("PathOf(URL(x)) = %q, %v", name, ours)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte("abd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Holds(file, abcSum) {
		t.Error("a file that was changed behind our back passes for the artifact")
	}
}

// A write that fails half way must leave what was there before, and nothing else.
func TestPutFails(t *testing.T) {
	s, dir := open(t)
	put(t, s, file, "abc")
	broken := errors.New("connection reset")
	_, err := s.Put(t.Context(), file, func(_ context.Context, w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return broken
	})
	if !errors.Is(err, broken) || !s.Holds(file, abcSum) {
		t.Errorf("after a failed write: error %v, old artifact there: %v", err, s.Holds(file, abcSum))
	}
	if left, _ := os.ReadDir(filepath.Join(dir, ".tmp")); len(left) > 0 {
		t.Errorf("a failed write leaves %v", left)
	}
}

// What a killed process was writing is gone after the next start; what it had written is there.
func TestNewAfterCrash(t *testing.T) {
	s, dir := open(t)
	put(t, s, file, "abc")
	work, err := s.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	again, err := store.New(dir, "http://127.0.0.1:9790")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(work); !os.IsNotExist(err) || !again.Holds(file, abcSum) {
		t.Errorf("temporary folder: %v; artifact there: %v", err, again.Holds(file, abcSum))
	}
}

func TestPutRefusesForeignPaths(t *testing.T) {
	s, _ := open(t)
	for _, name := range []string{"x", "../a/b/c/d", "a/../b/c", ".tmp/a/b/c", "a/b/c/.hidden", "a/b//d"} {
		if _, err := s.Put(t.Context(), name, func(context.Context, io.Writer) error { return nil }); err == nil {
			t.Errorf("Put accepts %q", name)
		}
	}
}

func TestHandler(t *testing.T) {
	s, _ := open(t)
	put(t, s, file, "abc")
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	tests := []struct {
		name, why, method, path string
		code                    int
	}{
		{"Get", "An artifact is served.", http.MethodGet, "/" + file, 200},
		{"Head", "Clients may ask for its size.", http.MethodHead, "/" + file, 200},
		{"Missing", "What is not there is not found.", http.MethodGet, "/helmchart/ns/web/web-2.0.0.tgz", 404},
		{"Folder", "Folders are not listed.", http.MethodGet, "/helmchart/ns/web/", 404},
		{"Temporary", "What is being written is nobody's business.", http.MethodGet, "/.tmp/x/y/z", 404},
		{"Outside", "Nothing leads out.", http.MethodGet, "/a/b/c/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", 404},
		{"Write", "Artifacts cannot be changed over HTTP.", http.MethodPut, "/" + file, 405},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, server.URL+tc.path, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tc.code {
				t.Errorf("%s\n%s %s answers %d, want %d", tc.why, tc.method, tc.path, resp.StatusCode, tc.code)
			}
		})
	}
}

func TestCollect(t *testing.T) {
	s, dir := open(t)
	key := store.Key{Kind: "HelmChart", Namespace: "ns", Name: "web"}
	for _, v := range []string{"1", "2", "3"} {
		put(t, s, key.Path(v), v)
	}
	files, err := s.Files(key)
	if err != nil {
		t.Fatal(err)
	}
	old := store.Obsolete(files, key.Path("3"), key.Path("2"))
	if diff := cmp.Diff([]string{"helmchart/ns/web/1"}, old); diff != "" {
		t.Errorf("Obsolete (-want +got):\n%s", diff)
	}
	for range 2 { // removing again is no error
		if err := s.Remove(old...); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := s.Keys("HelmChart")
	if diff := cmp.Diff([]store.Key{key}, keys); diff != "" || err != nil {
		t.Errorf("Keys (-want +got): %v\n%s", err, diff)
	}
	if err := s.RemoveAll(key); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "helmchart")); len(left) > 0 {
		t.Errorf("after RemoveAll there is still %v", left)
	}
}
