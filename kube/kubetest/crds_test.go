package kubetest

import (
	"strings"
	"testing"
)

// A mistyped folder must fail the tests at once, not leave them without their kinds.
func TestReadAllCRDs(t *testing.T) {
	root, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	_, err = readAllCRDs(root, []string{"no/such/folder"})
	if err == nil || !strings.Contains(err.Error(), root+"/no/such/folder has no *.yaml") {
		t.Errorf("error %v does not name the folder", err)
	}
}

// The error of a missing binary says how to get it.
func TestStartProgramMissing(t *testing.T) {
	_, err := startProgram("/no/such/portico-kube", "config.yaml", t.TempDir()+"/log")
	if err == nil || !strings.Contains(err.Error(), "make bin/portico-kube") {
		t.Errorf("error %v does not say what to run", err)
	}
}
