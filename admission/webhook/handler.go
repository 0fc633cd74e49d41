package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// object is a pointer to T that is an API object.
type object[T any] interface {
	*T
	client.Object
}

// rules are those of one kind, each with the reading that it takes. Only validate is never nil.
// An error means that something could not be read.
type rules[T any, P object[T]] struct {
	// defaults fills in what an object leaves out; old is nil for a new one.
	defaults func(ctx context.Context, o, old P) error
	// validate says what is wrong with an object; old is nil for a new one.
	validate func(ctx context.Context, o, old P) (field.ErrorList, error)
	// warnings say what the author of an accepted object should know.
	warnings func(ctx context.Context, o, old P) ([]string, error)
	// claims says what an object takes for itself that its author may not take. It is asked about
	// objects that nothing else is wrong with.
	claims func(ctx context.Context, by author, o, old P) (field.ErrorList, error)
	// deletion says what keeps an object from being deleted.
	deletion func(ctx context.Context, o P) (field.ErrorList, error)
}

// author is who writes, and whether only to see what would happen.
type author struct {
	authenticationv1.UserInfo
	dry bool
}

type handler[T any, P object[T]] struct {
	kind    string
	decoder admission.Decoder
	rules   rules[T, P]
	// now are the same rules past the cache, if there is one. Deletions and defaults are seldom, and
	// asked of them alone.
	now    rules[T, P]
	cached bool
}

func (h handler[T, P]) mutate(ctx context.Context, req admission.Request) admission.Response {
	o, old, err := h.read(req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if o.GetDeletionTimestamp() != nil {
		return admission.Allowed("")
	}
	before := o.DeepCopyObject()
	if err := h.now.defaults(ctx, o, old); err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	// Writing the object anew spells out what its author left out: without a reason we do not.
	if equality.Semantic.DeepEqual(before, o) {
		return admission.Allowed("")
	}
	filled, err := json.Marshal(o)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(req.Object.Raw, filled)
}

func (h handler[T, P]) validate(ctx context.Context, req admission.Request) admission.Response {
	if req.Operation == admissionv1.Delete {
		return h.validateDeletion(ctx, req)
	}
	o, old, err := h.read(req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	errs, err := h.judge(ctx, req, o, old)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if len(errs) > 0 || h.rules.warnings == nil {
		return h.answer(req, errs)
	}
	warnings, err := h.rules.warnings(ctx, o, old)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.Allowed("").WithWarnings(warnings...)
}

// judge asks the cache first, since most of what is written is right. What that refuses may have been put
// right a moment ago.
func (h handler[T, P]) judge(ctx context.Context, req admission.Request, o, old P) (field.ErrorList, error) {
	errs, err := h.rules.validate(ctx, o, old)
	if err == nil && len(errs) > 0 && h.cached {
		errs, err = h.now.validate(ctx, o, old)
	}
	if err != nil || len(errs) > 0 || h.now.claims == nil || o.GetDeletionTimestamp() != nil {
		return errs, err
	}
	return h.now.claims(ctx, author{req.UserInfo, req.DryRun != nil && *req.DryRun}, o, old)
}

func (h handler[T, P]) validateDeletion(ctx context.Context, req admission.Request) admission.Response {
	if h.rules.deletion == nil {
		return admission.Allowed("")
	}
	old := P(new(T))
	if err := h.decoder.DecodeRaw(req.OldObject, old); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding the %s: %w", h.kind, err))
	}
	// It is on its way out already: a second request changes nothing.
	if old.GetDeletionTimestamp() != nil {
		return admission.Allowed("")
	}
	errs, err := h.now.deletion(ctx, old)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return h.answer(req, errs)
}

// read decodes both objects of a request; old is nil for a new one.
func (h handler[T, P]) read(req admission.Request) (o, old P, err error) {
	o = P(new(T))
	if err := h.decoder.Decode(req, o); err != nil {
		return nil, nil, fmt.Errorf("decoding the %s: %w", h.kind, err)
	}
	// Creating with a namespace in the URL alone leaves the object without one.
	if o.GetNamespace() == "" {
		o.SetNamespace(req.Namespace)
	}
	if req.Operation != admissionv1.Update {
		return o, nil, nil
	}
	old = P(new(T))
	if err := h.decoder.DecodeRaw(req.OldObject, old); err != nil {
		return nil, nil, fmt.Errorf("decoding the old %s: %w", h.kind, err)
	}
	return o, old, nil
}

func (h handler[T, P]) answer(req admission.Request, errs field.ErrorList) admission.Response {
	if len(errs) == 0 {
		return admission.Allowed("")
	}
	gv := versionOf(h.kind)
	var status metav1.Status
	if req.Operation == admissionv1.Delete {
		resource := gv.WithResource(req.Resource.Resource).GroupResource()
		status = apierrors.NewForbidden(resource, req.Name, errs.ToAggregate()).Status()
	} else {
		status = apierrors.NewInvalid(gv.WithKind(h.kind).GroupKind(), req.Name, errs).Status()
	}
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: false, Result: &status}}
}
