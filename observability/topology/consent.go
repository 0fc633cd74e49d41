package topology

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ConsentLabel, on a Secret, with the value "true", lets objects of its namespace have its credentials sent to
// where they say. Whoever may write ConfigMaps there, and may not read Secrets, could else have any of
// them sent to a host of their own.
const ConsentLabel = prefix + "region-credentials"

// Borrower is an object that names a Secret, and a host to which its credentials go: a region's
// ConfigMap, or what was made for one.
type Borrower struct {
	Namespace string
	// For is the region's ConfigMap.
	For Owner
	// Trusted are the namespaces of those who run the plane.
	Trusted []string
}

// BorrowerOf is an object that was made for a region; one that was made by hand is for none.
func BorrowerOf(o metav1.Object, trusted []string) Borrower {
	b := Borrower{Namespace: o.GetNamespace(), Trusted: trusted}
	if of, ok := ParseOwner(o.GetAnnotations()[ForAnnotation]); ok && of.Namespace == b.Namespace {
		b.For = of // in another namespace it could name anybody's
	}
	return b
}

// MayUse refuses credentials that are not to be sent to where the borrower says. It may use those that were
// made for its region, and those beside it whose label says so; in trusted namespaces people know what they do.
func (b Borrower) MayUse(s metav1.Object) error {
	made, _ := ParseOwner(s.GetAnnotations()[ForAnnotation])
	beside := s.GetNamespace() == b.Namespace
	switch {
	case slices.Contains(b.Trusted, b.Namespace):
	case b.For.Kind == "ConfigMap" && made == b.For:
	case beside && s.GetLabels()[ConsentLabel] == kcm.LabelTrue:
	case beside:
		return invalid(ReasonInvalid, "Secret %s/%s does not say that its credentials may be sent to a region: give it the label %s=true, by which any region of namespace %s may have them",
			s.GetNamespace(), s.GetName(), ConsentLabel, b.Namespace)
	default:
		return invalid(ReasonInvalid, "Secret %s/%s belongs to the management plane, and was not made for this region: name a Secret of namespace %s that has the label %s=true",
			s.GetNamespace(), s.GetName(), b.Namespace, ConsentLabel)
	}
	return nil
}

// Places are where a Secret of that name may be that the borrower can use: beside it, and else where the
// plane keeps credentials.
func (b Borrower) Places(release, name string) []types.NamespacedName {
	out := []types.NamespacedName{{Namespace: b.Namespace, Name: name}}
	if release != b.Namespace {
		out = append(out, types.NamespacedName{Namespace: release, Name: name})
	}
	return out
}
