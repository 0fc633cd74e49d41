// Package v1alpha1 holds the kinds of the state pillar that k0rdent does not have:
// services of a team for the clusters of its own namespace, and rollouts in waves.
//
// The package has no behaviour beyond getters and setters; state/ owns it. Begin with
// NamespacedMultiClusterService and Rollout.
//
// +kubebuilder:object:generate=true
// +groupName=state.portico.dev
package v1alpha1
