package vmalert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"portico.dev/portico/observability/alert"
)

// pending is a file that is there while the rules in the folder were not read yet.
const pending = ".pending"

// Folder is the folder from which a vmalert reads its rules. One goroutine at a time may use it.
type Folder struct {
	Dir string
	// Reload has vmalert read the folder; Reload of this package does.
	Reload func(ctx context.Context) error
}

// Apply makes the folder hold those files and no others, and has vmalert read them. The same files
// again do nothing. If vmalert did not answer, the next call asks it again.
func (f Folder) Apply(ctx context.Context, files []alert.File) error {
	if err := os.MkdirAll(f.Dir, 0o755); err != nil {
		return fmt.Errorf("writing rules: %w", err)
	}
	changes, err := f.changes(files)
	if err != nil {
		return err
	}
	mark := filepath.Join(f.Dir, pending)
	if len(changes) > 0 {
		if err := os.WriteFile(mark, nil, 0o644); err != nil {
			return fmt.Errorf("writing rules: %w", err)
		}
	}
	for _, change := range changes {
		if err := change(); err != nil {
			return fmt.Errorf("writing rules: %w", err)
		}
	}
	if _, err := os.Stat(mark); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := f.Reload(ctx); err != nil {
		return err
	}
	if err := os.Remove(mark); err != nil {
		return fmt.Errorf("writing rules: %w", err)
	}
	return nil
}

// changes are what has to be done to the folder.
func (f Folder) changes(files []alert.File) ([]func() error, error) {
	var out []func() error
	wanted := map[string]bool{}
	for _, file := range files {
		wanted[file.Name] = true
		path := filepath.Join(f.Dir, file.Name)
		was, err := os.ReadFile(path)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("reading rules: %w", err)
		case err == nil && bytes.Equal(was, file.Data):
			continue
		}
		out = append(out, func() error {
			if err := os.WriteFile(path+".next", file.Data, 0o644); err != nil {
				return err
			}
			return os.Rename(path+".next", path)
		})
	}
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".yaml") && !wanted[e.Name()] {
			out = append(out, func() error { return os.Remove(filepath.Join(f.Dir, e.Name())) })
		}
	}
	return out, nil
}

// Reload asks the vmalert at that address, such as http://127.0.0.1:8880, to read its rules.
func Reload(base string, by *http.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(base, "/")+"/-/reload", nil)
		if err != nil {
			return fmt.Errorf("having vmalert read its rules: %w", err)
		}
		resp, err := by.Do(req)
		if err != nil {
			return fmt.Errorf("having vmalert read its rules: %w", err)
		}
		defer resp.Body.Close()
		said, err := io.ReadAll(io.LimitReader(resp.Body, 500))
		if err != nil {
			return fmt.Errorf("having vmalert read its rules: %w", err)
		}
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("having vmalert read its rules: it answered %s: %s", resp.Status, bytes.TrimSpace(said))
		}
		return nil
	}
}
