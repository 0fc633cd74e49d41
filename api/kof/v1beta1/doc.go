// Package v1beta1 holds the kinds of kof.k0rdent.mirantis.com/v1beta1.
//
// The JSON is k0rdent's, field by field; a test compares the generated CRDs with k0rdent's. There
// is no behaviour. Begin with PromxyServerGroup.
//
// +kubebuilder:object:generate=true
// +groupName=kof.k0rdent.mirantis.com
package v1beta1
