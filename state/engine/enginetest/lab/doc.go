// Package lab is where engines are tried against real API servers. It is for tests alone.
//
//	reads and writes  one API server, which plays the management cluster and all targets
//
// A target is a namespace behind a gate: a proxy that counts and notes what is written, and that
// the suite cuts off, holds up and mends. Nobody runs workloads there; the lab plays the
// controllers of Deployments and Jobs, and the kubelet. Charts are fetched from a server.
//
// What an engine needs besides, its own program and how it finds targets, its test brings along.
// Begin with Lab.
package lab
