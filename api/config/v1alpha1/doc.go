// Package v1alpha1 holds the configuration files of Portico's programs,
// group config.portico.dev.
//
// The types describe files, not objects of an API server: they have no object metadata and
// no status. They carry no behaviour; reading, defaulting and validating a control plane's
// file is package api/config/controlplane.
package v1alpha1
