package kubetest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one API server for all tests of a package, started by the first that asks:
//
//	var shared = kubetest.Shared{CRDs: []string{"bin/share/crds"}}
//
//	func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }
//
//	func TestX(t *testing.T) { cluster := shared.Cluster(t); ns := cluster.Namespace(t) ... }
type Shared struct {
	// CRDs are folders of YAML files, as in Start.
	CRDs []string

	once    sync.Once
	dir     string
	cluster *Cluster
	err     error
}

// Run runs the tests of m, ends the API server if any of them wanted one, and returns the
// exit code.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	if s.cluster != nil {
		s.cluster.stop()
	}
	if s.dir == "" {
		return code
	}
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintf(os.Stderr, "removing the API server's folder: %v\n", err)
		return max(code, 1)
	}
	return code
}

// Cluster is the API server. If it did not start, every test that asks fails with the reason.
func (s *Shared) Cluster(t testing.TB) *Cluster {
	t.Helper()
	s.once.Do(s.start)
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.cluster
}

// start is bound to no test: the API server outlives the one that asked first.
func (s *Shared) start() {
	if s.dir, s.err = os.MkdirTemp("", "portico-kubetest-"); s.err != nil {
		return
	}
	s.cluster, s.err = start(context.Background(), s.dir, s.CRDs)
}
