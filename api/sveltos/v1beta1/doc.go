// Package v1beta1 restates SveltosCluster of lib.projectsveltos.io/v1beta1: the object that
// stands for a cluster that Cluster API did not make, for instance an adopted one.
//
// The JSON is Sveltos', field by field; a test compares the generated CRD with Sveltos'. There is
// no behaviour beyond getters and setters.
//
// +kubebuilder:object:generate=true
// +groupName=lib.projectsveltos.io
package v1beta1
