package app

import (
	"path/filepath"
)

// installation is where the build put the programs and their data: beside our own program.
type installation string

func installedAt(executable string) installation { return installation(filepath.Dir(executable)) }

func (i installation) kube() string       { return filepath.Join(string(i), "portico-kube") }
func (i installation) machine() string    { return filepath.Join(string(i), "portico-machine") }
func (i installation) libexec() string    { return filepath.Join(string(i), "libexec") }
func (i installation) clusterAPI() string { return filepath.Join(i.libexec(), "capi-manager") }
func (i installation) crds() string       { return filepath.Join(string(i), "share", "crds") }
func (i installation) images() string     { return filepath.Join(string(i), "share", "images") }
func (i installation) charts() string     { return filepath.Join(string(i), "share", "charts") }

// needed are the files without which no plane can start.
func (i installation) needed() []string {
	return []string{i.kube(), i.clusterAPI(), i.crds()}
}
