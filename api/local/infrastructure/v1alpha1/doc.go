// Package v1alpha1 holds the kinds of the local Cluster API infrastructure provider: clusters
// and machines that live on the computer where Portico runs.
//
// They follow Cluster API's contract v1beta2 for InfraCluster, InfraClusterTemplate,
// InfraMachine and InfraMachineTemplate. The package has no behaviour beyond getters and
// setters; clusters/local owns it. Begin with LocalCluster and LocalMachine.
//
// +kubebuilder:object:generate=true
// +groupName=infrastructure.cluster.x-k8s.io
package v1alpha1
