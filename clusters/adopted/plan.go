package adopted

import (
	"fmt"
	"slices"
	"strings"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
)

// Verb is something to do with the connection to a cluster.
type Verb string

// What can be done.
const (
	// Open connects, in place of a connection with another kubeconfig if there is one.
	Open Verb = "open"
	// Close ends the connection, if there is one.
	Close Verb = "close"
	// Keep leaves the connection as it is.
	Keep Verb = "keep"
)

// Plan is what to do, and why.
type Plan struct {
	Do  Verb
	Why string
	// Silent means that the status is not ours to write.
	Silent bool
}

// String is how scenarios and logs show a plan.
func (p Plan) String() string {
	if p.Silent {
		return fmt.Sprintf("%s, and say nothing: %s", p.Do, p.Why)
	}
	return fmt.Sprintf("%s: %s", p.Do, p.Why)
}

// Decide says what to do with the connection to a cluster. It needs nothing to close one.
func Decide(s *sveltos.SveltosCluster, saw Observed) Plan {
	switch {
	case !s.DeletionTimestamp.IsZero():
		return Plan{Do: Close, Why: "it is on its way out", Silent: true}
	case saw.Sveltos:
		return Plan{Do: Close, Why: "Sveltos' manager looks after it", Silent: true}
	case problem(s, saw) != "":
		return Plan{Do: Close, Why: problem(s, saw)}
	case saw.Link == nil:
		return Plan{Do: Open, Why: "it is not connected"}
	case saw.Link.Digest != saw.Digest:
		return Plan{Do: Open, Why: "the kubeconfig is another one"}
	}
	return Plan{Do: Keep, Why: "the kubeconfig is the same"}
}

// problem is what only the user can mend.
func problem(s *sveltos.SveltosCluster, saw Observed) string {
	if text := unsupported(s); text != "" {
		return text
	}
	return saw.Problem
}

// unsupported names what a spec asks for that only Sveltos' manager does. To pass over it
// silently would be to say that a cluster is ready which its owner does not hold for ready.
func unsupported(s *sveltos.SveltosCluster) string {
	var fields []string
	for field, used := range map[string]bool{
		"pullMode": s.Spec.PullMode, "workloadIdentity": s.Spec.WorkloadIdentity != nil,
		"readinessChecks": len(s.Spec.ReadinessChecks) > 0, "livenessChecks": len(s.Spec.LivenessChecks) > 0,
		"activeWindow": s.Spec.ActiveWindow != nil,
	} {
		if used {
			fields = append(fields, "spec."+field)
		}
	}
	slices.Sort(fields)
	if len(fields) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: only Sveltos' manager does this: install it, or leave that empty", strings.Join(fields, ", "))
}
