// Package v1alpha1 holds the kinds of cost, which k0rdent does not have: what things cost, and
// what may be spent.
//
// The package has no behaviour beyond getters and setters, and reading and writing decimals as
// they are written; observability/cost owns it. Begin with PriceList and Budget.
//
// +kubebuilder:object:generate=true
// +groupName=cost.portico.dev
package v1alpha1
