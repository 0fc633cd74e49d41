package topology

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/fleet"
)

// Reasons of conditions, of annotations and of events.
const (
	// ReasonReady: everything is there.
	ReasonReady = "Ready"
	// ReasonInvalid: the object says something that cannot be.
	ReasonInvalid = "Invalid"
	// ReasonUnknownCloud: nobody knows where the cluster is.
	ReasonUnknownCloud = "UnknownCloud"
	// ReasonNoEndpoint: a region does not say where its stores are.
	ReasonNoEndpoint = "NoEndpoint"
	// ReasonBadEndpoint: an endpoint is no address.
	ReasonBadEndpoint = "BadEndpoint"
	// ReasonDuplicate: another one has the same name, and was there first.
	ReasonDuplicate = "Duplicate"
	// ReasonNoRegion: no region fits.
	ReasonNoRegion = "NoRegion"
	// ReasonRegionMoved: the region that a child reports to does not fit any more.
	ReasonRegionMoved = "RegionMoved"
	// ReasonRegionNotReady: the region that fits cannot be used.
	ReasonRegionNotReady = "RegionNotReady"
	// ReasonTaken: an object of that name belongs to somebody else.
	ReasonTaken = "NameTaken"
	// ReasonUserOwned: the ConfigMap is the user's, and is left as it is.
	ReasonUserOwned = "UserOwned"
	// ReasonDelivering: the credentials are on their way to the region.
	ReasonDelivering = "DeliveringCredentials"
	// ReasonTemplate: the template of the cluster is not there, or not judged yet.
	ReasonTemplate = "TemplateNotReady"
)

// Refusal is why something cannot be, with its reason in one word. What it wraps says who moves
// next: fleet.ErrInvalid the user, fleet.ErrNotYet the world.
type Refusal struct {
	Reason string
	Err    error
}

// Error implements error.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns what the refusal is about.
func (r *Refusal) Unwrap() error { return r.Err }

func invalid(reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Errorf("%w: %s", fleet.ErrInvalid, fmt.Sprintf(format, args...))}
}

func notYet(reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Errorf("%w: %s", fleet.ErrNotYet, fmt.Sprintf(format, args...))}
}

// Readiness is how an object is doing that has no conditions of ours: the ConfigMap of a region,
// and a ClusterDeployment, whose conditions are computed whole by another controller.
type Readiness struct {
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason"`
	Message string                 `json:"message,omitempty"`
}

// Unready is what an error says about an object. It is false for errors that are nobody's fault and pass.
func Unready(err error) (Readiness, bool) {
	var r *Refusal
	if !errors.As(err, &r) {
		return Readiness{}, false
	}
	return Readiness{Status: metav1.ConditionFalse, Reason: r.Reason, Message: fleet.Sentence(err)}, true
}

// Annotations are the readiness as annotations; the zero value takes them off, by empty values.
func (r Readiness) Annotations() map[string]string {
	return map[string]string{readyAnnotation: string(r.Status), reasonAnnotation: r.Reason, messageAnnotation: r.Message}
}

// ReadinessOf reads the annotations of an object; false if it has none.
func ReadinessOf(o metav1.Object) (Readiness, bool) {
	a := o.GetAnnotations()
	r := Readiness{metav1.ConditionStatus(a[readyAnnotation]), a[reasonAnnotation], a[messageAnnotation]}
	return r, r.Status != ""
}

// Mark writes a readiness to the annotations of an object, and says whether that changed them.
func (r Readiness) Mark(o metav1.Object) bool {
	have := o.GetAnnotations()
	changed := false
	next := make(map[string]string, len(have)+3)
	for key, value := range have {
		next[key] = value
	}
	for key, value := range r.Annotations() {
		if have[key] == value {
			continue
		}
		changed = true
		if value == "" {
			delete(next, key)
			continue
		}
		next[key] = value
	}
	if changed {
		o.SetAnnotations(next)
	}
	return changed
}

// NoTemplate is that the template of a cluster does not exist.
func NoTemplate(name string) error {
	return notYet(ReasonTemplate, "ClusterTemplate %q does not exist: where the cluster is, is not known", name)
}

// Twice is that a region has the name of another one, which was there first.
func Twice(region Region, first Candidate) error {
	return invalid(ReasonDuplicate, "region %s is described by ConfigMap %s already, which is older: give this one another name in data.%s, or remove one of the two",
		region.NamespacedName, first.Config, keyName)
}

// NoTenant is that the Secret of a child does not say whose data it is.
func NoTenant(s metav1.Object) error {
	return invalid(ReasonInvalid, "Secret %s/%s belongs to a child and has no label k0rdent.mirantis.com/kof-tenant-id: remove it, and it is made anew", s.GetNamespace(), s.GetName())
}
