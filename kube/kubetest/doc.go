// Package kubetest gives tests a real API server: the one that Portico ships.
//
// It starts bin/portico-kube as one control plane (etcd, API server, and the controllers that
// keep the API's own promises; no scheduler, no nodes) in a temporary folder, on a free port
// of loopback, and ends it with the test. Each start takes some seconds: a package's tests
// share one (Shared), each in a namespace of its own.
//
// It never skips: without the binary a test that needs an API server proves nothing, so it
// fails and says how to build it. Begin with Start or Shared.
package kubetest
