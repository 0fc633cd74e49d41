package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"portico.dev/portico/kube/kubetest"
)

// Installation is the folder of the built programs.
type Installation string

// Built finds the programs: in $PORTICO_BIN, or else in bin/ of the repository that the working
// folder is in. The error says what to do if they are not all built.
func Built() (Installation, error) {
	bin := Installation(os.Getenv("PORTICO_BIN"))
	if bin == "" {
		root, err := kubetest.Repository()
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
