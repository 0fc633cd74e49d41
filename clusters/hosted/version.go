package hosted

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
)

// haveVersion is the version that the data of the control plane were last served with; empty for a
// new one.
func haveVersion(p *cp.HostedControlPlane, saw Observed) string {
	if saw.Child.Version != "" {
		return saw.Child.Version
	}
	return p.Status.Version
}

// wrongStep says why a control plane cannot go from the version that it has to the one that it
// should have: Kubernetes converts its data forwards, by one minor version at a time.
func wrongStep(have, want string) string {
	from, err := version.ParseSemantic(have)
	if err != nil {
		return "" // it is new
	}
	to, err := version.ParseSemantic(want)
	if err != nil {
		return "" // the schema of the object refuses it
	}
	switch {
	case to.Major() != from.Major():
		return fmt.Sprintf("spec.version: Kubernetes %s cannot become %s: its data would not be understood; set a version v%d.%d or v%d.%d",
			have, want, from.Major(), from.Minor(), from.Major(), from.Minor()+1)
	case to.Minor() < from.Minor():
		return fmt.Sprintf("spec.version: Kubernetes %s cannot go back to %s: its data would not be understood; set a version v%d.%d or newer",
			have, want, from.Major(), from.Minor())
	case to.Minor() > from.Minor()+1:
		return fmt.Sprintf("spec.version: Kubernetes %s cannot go to %s in one step: set a version v%d.%d first",
			have, want, from.Major(), from.Minor()+1)
	}
	return ""
}
