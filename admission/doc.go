// Package admission holds the rules of the kinds of k0rdent.mirantis.com, state.portico.dev and cost.portico.dev:
// for each kind a function that fills in defaults and one that says what is wrong with an
// object, before it is stored (Validate…) and before it is deleted (Validate…Deletion).
//
// It is pure. What a rule has to know of other objects is handed in as a plain struct; nil in
// it means "does not exist". Package admission/webhook is the shell that reads those other
// objects, and the only one that asks everything. The controllers of clusters, chains and the
// Management ask the exported parts again for what can have changed since, and say more of what
// only they see, such as charts; the CLI asks ValidateClusterDeploymentAlone.
//
// Four things hold for every kind. An object that is being deleted is never refused. An update
// that leaves the spec alone is never refused, but for a tenant that it claims. A reference is
// looked at when it is set or changed, so that what others delete later never blocks a change of
// something else. And what merely is not ready yet is accepted: controllers wait, and a warning
// says so. Every error has the path of a field and says what to do next.
//
// What the schema and its rules check already is not checked again. One thing they cannot: a rule
// about changes is passed over when an optional field appears or disappears, so that whatever
// must not change is compared here. Begin with ValidateClusterDeployment.
package admission
