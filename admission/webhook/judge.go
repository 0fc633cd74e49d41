package webhook

import (
	"context"
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Question asks what our webhooks would say to a change, before it is made.
type Question struct {
	// Operation is Create, Update or Delete.
	Operation admissionv1.Operation
	// Object is the new one, Old the one that is there; of a deletion Old alone.
	Object, Old client.Object
}

// Judge says why a change would be refused, in sentences; none if it would not, or if its kind has
// no rules. An error means that it could not be told.
func Judge(ctx context.Context, o Options, q Question) ([]string, error) {
	about := q.Object
	if about == nil {
		about = q.Old
	}
	gvk, err := apiutil.GVKForObject(about, o.Scheme)
	if err != nil {
		return nil, err
	}
	for _, k := range kinds(o) {
		if k.kind == gvk.Kind && versionOf(k.kind) == gvk.GroupVersion() {
			return k.judge(ctx, q, about)
		}
	}
	return nil, nil
}

func (s served) judge(ctx context.Context, q Question, about client.Object) ([]string, error) {
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: q.Operation, Namespace: about.GetNamespace(), Name: about.GetName()}}
	req.Resource.Resource = s.plural
	var err error
	if req.Object, err = encoded(q.Object); err != nil {
		return nil, err
	}
	if req.OldObject, err = encoded(q.Old); err != nil {
		return nil, err
	}
	answer := s.validator.Handle(ctx, req)
	switch {
	case answer.Allowed:
		return nil, nil
	case answer.Result == nil:
		return nil, fmt.Errorf("judging %s %s: no answer", s.kind, client.ObjectKeyFromObject(about))
	case answer.Result.Code >= 500:
		return nil, fmt.Errorf("judging %s %s: %s", s.kind, client.ObjectKeyFromObject(about), answer.Result.Message)
	case answer.Result.Details == nil || len(answer.Result.Details.Causes) == 0:
		return []string{answer.Result.Message}, nil
	}
	var out []string
	for _, cause := range answer.Result.Details.Causes {
		out = append(out, cause.Field+": "+cause.Message)
	}
	return out, nil
}

func encoded(o client.Object) (runtime.RawExtension, error) {
	if o == nil {
		return runtime.RawExtension{}, nil
	}
	raw, err := json.Marshal(o)
	return runtime.RawExtension{Raw: raw}, err
}
