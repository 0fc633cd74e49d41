// Package v1beta1 holds the kinds of k0rdent.mirantis.com/v1beta1.
//
// The JSON is k0rdent's, field by field; a test compares the generated CRDs with k0rdent's. The
// structs of other projects that appear in it (Flux, Sveltos, Velero, the API server) are
// restated here, so that importers of these types import nothing but apimachinery. There is no
// behaviour beyond getters and setters: defaults and rules live in package admission.
//
// A file per kind; what several kinds share is in service.go, template.go, source.go,
// component.go and reference.go; well-known strings are in names.go and conditions.go.
//
// +kubebuilder:object:generate=true
// +groupName=k0rdent.mirantis.com
package v1beta1
