package installed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"portico.dev/portico/fleet"
)

const programName = "portico-kube"

// Programs are the programs in a folder: portico-kube-<version> for each version that was put
// there, and portico-kube, which says its version when asked. It is safe for concurrent use.
type Programs struct {
	folder string

	mu    sync.Mutex
	asked map[string]string // version by identity of the file
}

// New returns the programs in folder.
func New(folder string) *Programs {
	return &Programs{folder: folder, asked: map[string]string{}}
}

// Find returns the absolute path of the program of a version. It returns fleet.ErrInvalid if
// the version is not installed, and names those that are.
func (p *Programs) Find(version string) (string, error) {
	all, err := p.list()
	if err != nil {
		return "", err
	}
	if path, ok := all[version]; ok {
		return path, nil
	}
	var have []string
	for v := range all {
		have = append(have, v)
	}
	slices.Sort(have)
	if len(have) == 0 {
		return "", fmt.Errorf("%w: no Kubernetes is installed: put %s into %s", fleet.ErrInvalid, programName, p.folder)
	}
	return "", fmt.Errorf("%w: Kubernetes %s is not installed: choose one of %s, or install %s-%s",
		fleet.ErrInvalid, version, strings.Join(have, ", "), programName, version)
}

// list returns the paths by version. A file that carries its version wins over the plain one,
// so that an upgrade of Portico leaves versions that were put there as they are.
func (p *Programs) list() (map[string]string, error) {
	named, err := filepath.Glob(filepath.Join(p.folder, programName+"-v*"))
	if err != nil {
		return nil, fmt.Errorf("looking for Kubernetes programs: %w", err)
	}
	all := map[string]string{}
	plain := filepath.Join(p.folder, programName)
	version, err := p.ask(plain)
	if err != nil {
		return nil, err
	}
	if version != "" {
		all[version] = plain
	}
	for _, path := range named {
		all[strings.TrimPrefix(filepath.Base(path), programName+"-")] = path
	}
	return all, nil
}

// ask runs the program once per content; empty means that there is none.
func (p *Programs) ask(path string) (string, error) {
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking for Kubernetes programs: %w", err)
	}
	id := fmt.Sprint(info.ModTime().UnixNano(), info.Size())
	p.mu.Lock()
	defer p.mu.Unlock()
	if version, ok := p.asked[id]; ok {
		return version, nil
	}
	out, err := exec.CommandContext(context.Background(), path, "version").Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", path, err)
	}
	version := strings.TrimSpace(string(out))
	p.asked[id] = version
	return version, nil
}
