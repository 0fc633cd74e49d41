// Package verdict is what engines share that have kube/remote judge services by health rules: the rules
// in its words, its findings in the contract's.
//
// It is pure. Begin with Rules.
package verdict
