package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// temporary is the folder of files that are being written. The dot keeps it apart from kinds.
const temporary = ".tmp"

// Store is a folder of artifacts. It is safe for concurrent use as long as no two callers write
// the same path.
type Store struct {
	dir  string
	base string
}

// Written says what Put has stored.
type Written struct {
	// Digest is sha256:<hex> of the content.
	Digest string
	// Size is the number of bytes.
	Size int64
}

// Key names the object that artifacts belong to.
type Key struct {
	Kind, Namespace, Name string
}

// Path is the path of one of the object's files.
func (k Key) Path(file string) string {
	return path.Join(strings.ToLower(k.Kind), k.Namespace, k.Name, file)
}

// New opens the folder, makes it if need be, and removes what an interrupted write left. The
// base is the address under which Handler can be reached, for example http://127.0.0.1:9790.
func New(dir, base string) (*Store, error) {
	if err := os.RemoveAll(filepath.Join(dir, temporary)); err != nil {
		return nil, fmt.Errorf("clearing the artifact store: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, temporary), 0o700); err != nil {
		return nil, fmt.Errorf("making the artifact store: %w", err)
	}
	return &Store{dir: dir, base: strings.TrimSuffix(base, "/")}, nil
}

// URL is the address of a path.
func (s *Store) URL(name string) string { return s.base + "/" + name }

// PathOf is the inverse of URL; ok is false for addresses that are not this store's.
func (s *Store) PathOf(url string) (name string, ok bool) {
	return strings.CutPrefix(url, s.base+"/")
}

// TempDir makes a folder that belongs to the caller, who removes it. What a crash leaves of it
// is removed by the next New.
func (s *Store) TempDir() (string, error) {
	return os.MkdirTemp(filepath.Join(s.dir, temporary), "work-")
}

// Put stores what write writes. On an error nothing changes.
func (s *Store) Put(ctx context.Context, name string, write func(context.Context, io.Writer) error) (Written, error) {
	if !valid(name) {
		return Written{}, fmt.Errorf("storing %q: not a path of an artifact", name)
	}
	tmp, err := os.CreateTemp(filepath.Join(s.dir, temporary), "put-")
	if err != nil {
		return Written{}, fmt.Errorf("storing %s: %w", name, err)
	}
	defer os.Remove(tmp.Name()) // gone already when the rename has happened
	sum := sha256.New()
	count := &counter{}
	if err := errors.Join(write(ctx, io.MultiWriter(tmp, sum, count)), tmp.Sync(), tmp.Close()); err != nil {
		return Written{}, err
	}
	if err := s.move(tmp.Name(), name); err != nil {
		return Written{}, fmt.Errorf("storing %s: %w", name, err)
	}
	return Written{Digest: "sha256:" + hex.EncodeToString(sum.Sum(nil)), Size: count.n}, nil
}

func (s *Store) move(from, name string) error {
	to := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// Holds says whether the path is there with this content.
func (s *Store) Holds(name, digest string) bool {
	f, err := s.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false
	}
	return digest == "sha256:"+hex.EncodeToString(sum.Sum(nil))
}

// Open opens a stored artifact for reading.
func (s *Store) Open(name string) (*os.File, error) {
	if !valid(name) {
		return nil, fmt.Errorf("opening artifact %q: %w", name, fs.ErrNotExist)
	}
	f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, fmt.Errorf("opening artifact %s: %w", name, err)
	}
	return f, nil
}

// Files lists the paths that belong to an object, sorted.
func (s *Store) Files(key Key) ([]string, error) {
	entries, err := os.ReadDir(s.folder(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing artifacts of %s %s/%s: %w", key.Kind, key.Namespace, key.Name, err)
	}
	var files []string
	for _, e := range entries {
		files = append(files, key.Path(e.Name()))
	}
	return files, nil
}

// Keys lists the objects of a kind that have files, sorted.
func (s *Store) Keys(kind string) ([]Key, error) {
	found, err := filepath.Glob(filepath.Join(s.dir, strings.ToLower(kind), "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("listing artifacts of kind %s: %w", kind, err)
	}
	keys := make([]Key, 0, len(found))
	for _, dir := range found {
		keys = append(keys, Key{Kind: kind, Namespace: filepath.Base(filepath.Dir(dir)), Name: filepath.Base(dir)})
	}
	return keys, nil
}

// Remove removes paths. Removing what is not there is no error.
func (s *Store) Remove(names ...string) error {
	var errs []error
	for _, name := range names {
		err := os.Remove(filepath.Join(s.dir, filepath.FromSlash(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("removing artifact %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// RemoveAll removes everything that belongs to an object.
func (s *Store) RemoveAll(key Key) error {
	if err := os.RemoveAll(s.folder(key)); err != nil {
		return fmt.Errorf("removing artifacts of %s %s/%s: %w", key.Kind, key.Namespace, key.Name, err)
	}
	// The namespace's folder goes with its last object; it is not empty otherwise.
	_ = os.Remove(filepath.Dir(s.folder(key)))
	return nil
}

func (s *Store) folder(key Key) string { return filepath.Join(s.dir, filepath.FromSlash(key.Path(""))) }

// Handler serves the artifacts under their paths.
func (s *Store) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "artifacts can only be read", http.StatusMethodNotAllowed)
			return
		}
		f, err := s.Open(strings.TrimPrefix(path.Clean(r.URL.Path), "/"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", info.ModTime(), f)
	})
}

// Obsolete says which of an object's files are no longer wanted: all but those in keep.
func Obsolete(files []string, keep ...string) []string {
	var old []string
	for _, f := range files {
		if !slices.Contains(keep, f) {
			old = append(old, f)
		}
	}
	return old
}

// valid says whether a path has the form <kind>/<namespace>/<name>/<file>.
func valid(name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || !filepath.IsLocal(name) {
		return false
	}
	return !slices.ContainsFunc(parts, func(p string) bool { return p == "" || strings.HasPrefix(p, ".") })
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}
