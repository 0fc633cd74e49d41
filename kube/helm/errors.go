package helm

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"portico.dev/portico/fleet"
)

// TakenError says that a release is another owner's. It is a fleet.ErrNotYet.
type TakenError struct {
	// Owner is who has the release.
	Owner Owner
}

// Error names the owner.
func (e *TakenError) Error() string {
	return fmt.Sprintf("it belongs to another owner, %s=%s", e.Owner.Label, e.Owner.Value)
}

// Unwrap makes it a fleet.ErrNotYet.
func (e *TakenError) Unwrap() error { return fleet.ErrNotYet }

// classify tells which of the three kinds an error is, by its type: no words are read.
func classify(err error) error {
	unknown, isUnknown := find[*meta.NoKindMatchError](err)
	switch {
	case err == nil, errors.Is(err, fleet.ErrInvalid), errors.Is(err, fleet.ErrNotYet):
		return err
	case isUnknown:
		return fmt.Errorf("%w: the cluster does not know the kind %s: install what brings it: %w", fleet.ErrNotYet, unknown.GroupKind, err)
	case namespaceEnds(err):
		return fmt.Errorf("%w: the namespace is being deleted: %w", fleet.ErrNotYet, err)
	case missingNamespace(err):
		return fmt.Errorf("%w: the namespace does not exist: create it, or ask for it to be created: %w", fleet.ErrNotYet, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return fmt.Errorf("%w: the cluster refuses an object: %w", fleet.ErrInvalid, err)
	}
	return err
}

func missingNamespace(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// find looks for an error of a type as errors.As does, and also where Kubernetes gathers
// errors: its Aggregate does not unwrap.
func find[T error](err error) (found T, ok bool) {
	if errors.As(err, &found) {
		return found, true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if all, gathered := err.(interface{ Errors() []error }); gathered {
			for _, err := range all.Errors() {
				if found, ok := find[T](err); ok {
					return found, true
				}
			}
		}
	}
	return found, false
}

// onlyUnknownValues says whether values are refused for nothing but keys that the chart
// does not know.
func onlyUnknownValues(err error) bool {
	var values *ValuesError
	if !errors.As(err, &values) {
		return false
	}
	for _, p := range values.Problems {
		if !p.Unknown {
			return false
		}
	}
	return true
}
