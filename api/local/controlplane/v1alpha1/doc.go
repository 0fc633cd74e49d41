// Package v1alpha1 holds the kinds of the Cluster API control plane provider "hosted": control
// planes that run beside the management plane instead of on machines of their own.
//
// They follow Cluster API's contract v1beta2 for ControlPlane and ControlPlaneTemplate. The
// package has no behaviour beyond getters and setters; clusters/hosted owns it. Begin with
// HostedControlPlane.
//
// +kubebuilder:object:generate=true
// +groupName=controlplane.cluster.x-k8s.io
package v1alpha1
