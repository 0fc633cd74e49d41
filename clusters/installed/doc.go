// Package installed finds the Kubernetes programs that lie on this computer, by version.
//
//	reads   a folder with portico-kube and portico-kube-<version>, and what portico-kube says
//	        about its version
//	writes  nothing
//
// Control planes and machines of several Kubernetes versions run side by side, each with the
// program of its own. Begin with Programs.
package installed
