// Package guest is PID 1 of a machine that is made of Linux namespaces.
//
//	reads   the machine's folder: config/ (machine.json, certificates, kubeconfigs)
//	writes  the machine's folder: root/ (its file system), log/ (a file per program)
//
// Run starts it: the process that the host knows joins the machine's control group and makes the
// namespaces, in which Boot then builds the file system, writes the configuration of containerd,
// kubelet and kube-proxy, runs them, reaps orphans, and serves the bundled images on the
// machine's own loopback. When either of the two processes dies the kernel ends the whole machine.
//
// It imports little, for every machine has it in memory. It never talks to an API server.
package guest
