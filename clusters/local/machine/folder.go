package machine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"portico.dev/portico/clusters/local/guest"
)

// writeFiles makes the machine's folder hold these files and returns which of them changed. Each
// is replaced whole: a reader sees the old one or the new one.
func writeFiles(dir string, files map[string][]byte) (changed []string, err error) {
	for _, sub := range []string{guest.ConfigDir, guest.LogDir, guest.RootDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	// What the machine's pods write to host paths is nobody else's on this host.
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(files))
	// The machine's own file comes first: whoever removes a half-made machine reads it.
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	for _, name := range names {
		path := filepath.Join(dir, name)
		have, err := os.ReadFile(path)
		if err == nil && bytes.Equal(have, files[name]) {
			continue
		}
		if err := replace(path, files[name]); err != nil {
			return nil, err
		}
		changed = append(changed, name)
	}
	return changed, nil
}

func rank(name string) int {
	if name == guest.MachineFile {
		return 0
	}
	return 1
}

func replace(path string, content []byte) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// removeFolder removes the machine's folder. It refuses while something is mounted in it: a
// machine shows its pods the host's programs, and those must never be removed with it.
func removeFolder(dir string) error {
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("removing %s: %s is mounted there: unmount it first", dir, mounts[0])
	}
	return os.RemoveAll(dir)
}

func mountsBelow(dir string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return out, lines.Err()
		}
		// The fifth field of proc_pid_mountinfo(5), in which spaces are written as \040.
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := strings.ReplaceAll(fields[4], `\040`, " ")
		if point == dir || strings.HasPrefix(point, dir+"/") {
			out = append(out, point)
		}
	}
}

// lastLine is the end of a log, for people who want to know why a machine ended.
func lastLine(file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return lines[len(lines)-1]
}

// Files returns the credentials that a machine was given; those that are missing are empty.
func (h Host) Files(id string) (Files, error) {
	var f Files
	for name, into := range f.byName() {
		content, err := os.ReadFile(filepath.Join(h.folder(id), name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Files{}, fmt.Errorf("reading the credentials of machine %s: %w", id, err)
		}
		*into = content
	}
	return f, nil
}

func (f *Files) byName() map[string]*[]byte {
	return map[string]*[]byte{
		guest.CAFile:              &f.CA,
		guest.KubeletKubeconfig:   &f.KubeletKubeconfig,
		guest.KubeletCertFile:     &f.KubeletCert,
		guest.KubeletKeyFile:      &f.KubeletKey,
		guest.KubeProxyKubeconfig: &f.KubeProxyKubeconfig,
	}
}
