package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Installation is the folder of the built programs.
type Installation string

// Built finds the programs: in $PORTICO_BIN, or else in bin/ of the repository that the working
// folder is in. The error says what to do if they are not all built.
func Built() (Installation, error) {
	bin := Installation(os.Getenv("PORTICO_BIN"))
	if bin == "" {
		root, err := Repository()
		if err != nil {
			return "", err
		}
		bin = Installation(filepath.Join(root, "bin"))
	}
	var missing []string
	for _, file := range []string{
		"portico", "portico-kube", "portico-machine", "libexec/capi-manager", "libexec/containerd", "libexec/runc",
		"share/crds", "share/charts/index.json", "share/images/index.json",
	} {
		if _, err := os.Stat(bin.File(file)); err != nil {
			missing = append(missing, bin.File(file))
		}
	}
	if len(missing) > 0 {
		return bin, fmt.Errorf("not built: %s: run make build", strings.Join(missing, ", "))
	}
	return bin, nil
}

// File is the path of one of the installed files.
func (i Installation) File(name string) string { return filepath.Join(string(i), name) }

// Repository is the root of the checkout at or above the working folder.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(data, []byte("module portico.dev/portico\n")) {
			return dir, nil
		}
	}
	return "", errors.New("looking for the repository: no folder from here upwards has the go.mod of portico.dev/portico")
}
