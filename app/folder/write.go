package folder

import (
	"fmt"
	"os"
	"path/filepath"

	"portico.dev/portico/pki"
)

// WriteFile makes the file at path, and its folder, hold content, as pki.WriteFile does: a
// file that holds it already is left alone, so its time tells when the content changed.
func WriteFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return pki.WriteFile(path, content)
}

// WriteNew is WriteFile where there is no file yet: one that is there stays as it is.
func WriteNew(path string, content []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return WriteFile(path, content)
}
