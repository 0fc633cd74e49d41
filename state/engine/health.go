package engine

// HealthRule says when objects of a kind are healthy. It was found to be one that can be compiled.
//
// A service is judged by it for two sorts of objects: those of the kind that the service itself
// has, and those in its namespace, or without one, of which a label release, app,
// app.kubernetes.io/instance or app.kubernetes.io/name has the service's name. An object that is
// being deleted is healthy. A kind that the target does not serve in this version has no objects. A
// rule that has no answer, or costs too much, does not hold.
//
// Objects are seen to change: an engine judges anew when one has, and does not wait for its turn.
type HealthRule struct {
	// Source is what messages call the rule, for example "health rule 2 of ConfigMap team/rules".
	Source               string
	Group, Version, Kind string
	// ClusterScoped says that the objects have no namespace.
	ClusterScoped bool
	// Healthy is a condition in CEL over the object, which it calls "obj".
	Healthy string
	// Message says of an object of which it does not hold what is missing; empty for nothing.
	Message string
}

// Unhealthy says of which kind objects are that do not run, or of which a health rule does not hold.
type Unhealthy struct {
	Kind string
	// Message names the first object, and says what is wrong with it.
	Message string
	// Misscoped says that it is the rule: it has the kind in namespaces, and the target does not,
	// or the other way round.
	Misscoped bool
}
