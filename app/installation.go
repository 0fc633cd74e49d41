package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// installation is where the build put the programs and their data: beside our own program.
type installation string

func installedAt(executable string) installation { return installation(filepath.Dir(executable)) }

func (i installation) kube() string            { return filepath.Join(string(i), "portico-kube") }
func (i installation) machine() string         { return filepath.Join(string(i), "portico-machine") }
func (i installation) libexec() string         { return filepath.Join(string(i), "libexec") }
func (i installation) clusterAPI() string      { return filepath.Join(i.libexec(), "capi-manager") }
func (i installation) helmController() string  { return filepath.Join(i.libexec(), "helm-controller") }
func (i installation) addonController() string { return filepath.Join(i.libexec(), "addon-controller") }
func (i installation) crds() string            { return filepath.Join(string(i), "share", "crds") }
func (i installation) images() string          { return filepath.Join(string(i), "share", "images") }
func (i installation) charts() string          { return filepath.Join(string(i), "share", "charts") }
func (i installation) containerd() string      { return filepath.Join(i.libexec(), "containerd") }
func (i installation) runc() string            { return filepath.Join(i.libexec(), "runc") }

// needed are the files without which no plane can start.
func (i installation) needed() []string {
	return []string{i.kube(), i.clusterAPI(), i.crds(), i.charts()}
}

// lacksForMachines says what real machines need and is not there, with what to do about it; empty
// if all is there.
func (i installation) lacksForMachines() string {
	for _, file := range []string{i.machine(), i.containerd()} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Sprintf("real machines need the program %s, which is not in %s: build it with make build", filepath.Base(file), filepath.Dir(file))
		}
	}
	// The one program that needs a C library to be built; the system's does as well.
	if _, err := os.Stat(i.runc()); err == nil {
		return ""
	}
	if _, err := exec.LookPath("runc"); err != nil {
		return "real machines need the program runc: install libseccomp-dev and build it with make build, or install runc"
	}
	return ""
}
