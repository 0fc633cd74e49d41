// Package controlplane runs a whole Kubernetes control plane in one process: etcd,
// kube-apiserver, kube-controller-manager and kube-scheduler, upstream's code unmodified.
//
//	reads   a ControlPlaneConfiguration; <dir>/pki/{ca,front-proxy-ca}.{crt,key}, sa.key if there
//	writes  <dir>/pki/* (what is missing or due), <dir>/kubeconfig, <dir>/*.kubeconfig,
//	        <dir>/authentication.yaml, <dir>/etcd, <dir>/lock, <dir>/audit.log
//
// One process per folder, held by a lock. etcd has no port: it listens on a unix socket in the
// folder. The API server's port is taken first, so that a taken port is told at once. The
// parts live and die together: when one ends, for whatever reason, the process ends.
//
// Flags (flags.go) and certificates (certificates.go) are functions of the configuration; the
// rest starts things. It never restarts a part, and never replaces an authority or the key of
// service accounts that it finds. Check says whether Run would start. Begin with Run.
package controlplane
