package management

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Verb is something to do with the object itself; there is nothing else to do.
type Verb string

// What can be done.
const (
	// Claim puts the finalizer and the label of backups on the object.
	Claim Verb = "claim"
	// ReleaseFinalizer takes the finalizer off, and the object is gone.
	ReleaseFinalizer Verb = "release the finalizer"
	// Wait waits for the object to be free.
	Wait Verb = "wait"
	// Report only says how things stand.
	Report Verb = "report"
)

// Plan is what to do, and why.
type Plan struct {
	Do  Verb
	Why string
}

// Decide says what to do with a Management. What lives under it has to go first: nobody would
// look after it any more.
func Decide(m *kcm.Management, saw Observed) Plan {
	claimed := controllerutil.ContainsFinalizer(m, kcm.ManagementFinalizer)
	switch {
	case m.DeletionTimestamp.IsZero() && (!claimed || m.Labels[kcm.ComponentLabel] != kcm.ComponentKCM):
		return Plan{Claim, "it is new"}
	case m.DeletionTimestamp.IsZero():
		return Plan{Report, "how its components stand"}
	case !claimed:
		return Plan{Report, "it goes by itself"}
	}
	// The same rule, in the same words, that refused the deletion at admission.
	if errs := admission.ValidateManagementDeletion(admission.ManagementUsers{Regions: saw.Regions, Clusters: saw.Clusters}); len(errs) > 0 {
		return Plan{Wait, sentences(errs)}
	}
	return Plan{ReleaseFinalizer, "nothing lives under it"}
}

func sentences(errs field.ErrorList) string {
	var out []string
	for _, e := range errs {
		out = append(out, e.Detail)
	}
	return strings.Join(out, "; ")
}

// String is how scenarios and logs show a plan.
func (p Plan) String() string { return fmt.Sprintf("%s: %s", p.Do, p.Why) }
