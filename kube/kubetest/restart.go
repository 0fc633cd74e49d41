package kubetest

import (
	"path/filepath"
	"testing"
)

// Kill ends the API server as kill -9 does. What it has acknowledged stays in its folder.
func (c *Cluster) Kill() { c.program.kill() }

// Revive starts a killed API server again, at the same address and with what it had.
func (c *Cluster) Revive(t testing.TB) {
	t.Helper()
	root, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	if c.program, err = startProgram(binary(root), filepath.Join(c.Dir, "config.yaml"), filepath.Join(c.Dir, "log")); err != nil {
		t.Fatal(err)
	}
	if err := c.program.waitFor(t.Context(), c.ready); err != nil {
		t.Fatal(err)
	}
}
