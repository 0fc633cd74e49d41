package serviceset

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
)

// Staying are the services that stay, of a set of which nothing is remembered.
func Staying(set *kcm.ServiceSet, saw Observed) []engine.Service {
	return staying(set, Record{}, saw)
}

// Retold is the report in the words for what stays.
func Retold(report engine.Report, saw Observed) engine.Report { return retold(report, saw) }

// Unhear makes a set one that was not looked at since the process began.
func (c *Controller) Unhear(set *kcm.ServiceSet) { c.heard.forget(client.ObjectKeyFromObject(set)) }
