// Package wire is what the store's own search of logs reads and answers, for those who write a client.
//
//	GET or POST <prefix>/select/portico/logs
//
// The arguments stand in the query or, with POST, in a form:
//
//	start, end   bounds of a record's time, start <= time < end: RFC 3339, or nanoseconds since 1970.
//	             Without end it is now, without start one hour before end.
//	label        a matcher, any number of them: name=value, name!=value, name=~regex, name!~regex (the
//	             regex has to match the whole value). The names are OpenTelemetry's; cluster, namespace,
//	             pod, container, node and service stand for k8s.cluster.name and so on as well.
//	             A name that a record does not have has the empty value.
//	text         has to be in the body, without regard to case; any number of them, all have to be
//	severity     the least severity number of OpenTelemetry, 0 to 24
//	order        newest (first; so unless said) or oldest
//	limit        how many records at most
//
// Whose records they are is said by the header X-Portico-Tenant, by extra_filters as VMAuth adds them,
// and by the credentials, which all have to agree; where none of them says anything it is everybody's.
//
// The answer is lines of JSON: a Line with a record each, and at the end one Line with End or Error. An
// answer without such an end was cut off.
//
//	GET or POST <prefix>/select/portico/logs/tail
//
// follows: the arguments are the same but for start, end, order and limit. The first Line has Begin, and
// from then on each record that matches comes as it is acknowledged. Who takes them too slowly gets a Line
// with Skipped. There is no end but an Error.
//
// Begin with Line.
package wire
