// Package kubeconfig reads kubeconfigs that came from somebody else: out of a Secret that a
// tenant may have written.
//
//	reads   the bytes that it is handed
//	never   runs a program, opens a file, or connects anywhere
//
// A kubeconfig can name programs to run and files to read, and kubectl obeys. Here that would
// be the management plane's computer, so only what stands in the kubeconfig itself is taken.
// Begin with Read.
package kubeconfig
