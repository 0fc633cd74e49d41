// Package manifest makes Kubernetes manifests of the files of a source: of plain YAML files,
// or of a Kustomization.
//
//	reads    files that were handed in, as a map of path to content
//	writes   nothing
//	never    runs a program, loads a plugin, or fetches what a file refers to
//
// What it returns is a YAML stream in a settled form: same files, same bytes. Begin with
// Plain and Kustomize.
package manifest
