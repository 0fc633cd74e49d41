package planning

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/pmezard/go-difflib/difflib"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission/webhook"
	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	sveltosv1 "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/plan"
	"portico.dev/portico/state/serviceset"
)

// Planner computes plans with the rights of whoever its client speaks for.
type Planner struct {
	// Kube is the management cluster. Its scheme is NewScheme's.
	Kube client.Client
	// Adapter says which engines there are.
	Adapter serviceset.Config
	// Sources read charts for diffs; nil makes plans without.
	Sources Sources
	// ParseValues, CompileRule, CheckRules and CheckPrices are the parts of the admission that are not its
	// own; webhook.Options says what each is about. Any may be nil.
	ParseValues, CompileRule func(string) error
	CheckRules               func(*corev1.ConfigMap) field.ErrorList
	CheckPrices              func(name string, spec costv1.PriceListSpec, text string) field.ErrorList
}

// Options say what of a plan is wanted.
type Options struct {
	// Delete plans the deletion of the objects.
	Delete bool
	// Diffs shows how the objects of services would change.
	Diffs bool
}

// NewScheme knows every kind that plans are made of.
func NewScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kcm.AddToScheme, statev1.AddToScheme, costv1.AddToScheme, sveltosv1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, authorizationv1.AddToScheme, sourcev1.AddToScheme} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Plan says what applying the manifests, or deleting their objects, would do.
func (p *Planner) Plan(ctx context.Context, m Manifests, o Options) (plan.Plan, error) {
	if len(m.Changes) == 0 {
		return plan.Plan{}, fmt.Errorf("planning: %w: the manifests hold no object that bears on services", fleet.ErrInvalid)
	}
	seen := &plan.Seen{Live: p.Kube, Adapter: p.Adapter, Diff: unified}
	if o.Diffs && p.Sources != nil {
		seen.Text = p.text
	}
	in := plan.Input{
		Base: p.Kube, Scheme: p.Kube.Scheme(), Mapper: p.Kube.RESTMapper(), Clock: p.Adapter.Clock, System: p.Adapter.Home,
		Admit: p.admit, Seen: seen,
	}
	for _, change := range m.Changes {
		change.Delete = o.Delete
		in.Changes = append(in.Changes, change)
	}
	return plan.Compute(ctx, in)
}

// admit asks the rules of the admission about a change on the copy.
func (p *Planner) admit(ctx context.Context, asked plan.Question) ([]string, error) {
	kube, change, old := asked.Kube, asked.Change, asked.Old
	q := webhook.Question{Operation: admissionv1.Create, Object: change.Object}
	switch {
	case change.Delete:
		q = webhook.Question{Operation: admissionv1.Delete, Old: change.Object}
	case old != nil:
		q.Operation, q.Old = admissionv1.Update, old
	}
	if !change.Delete {
		// As it stands now, with the fields that the manifest leaves out.
		now, ok := change.Object.DeepCopyObject().(client.Object)
		if !ok {
			return nil, errors.New("copying an object: its copy is no object")
		}
		if err := kube.Get(ctx, client.ObjectKeyFromObject(now), now); client.IgnoreNotFound(err) != nil {
			return nil, err
		} else if err == nil {
			q.Object = now
		}
	}
	preview := serviceset.NewPreview(kube, asked.Live, p.Adapter)
	engines := func(ctx context.Context, namespace string, spec kcm.ServiceSpec) (field.ErrorList, error) {
		refused, err := preview.Refusals(ctx, namespace, spec)
		if apierrors.IsForbidden(err) {
			return nil, nil // the plan says that it has not seen it
		}
		return refused, err
	}
	return webhook.Judge(ctx, webhook.Options{
		Reader: heads{kube, change.Object}, Mapper: p.Kube.RESTMapper(), Scheme: p.Kube.Scheme(), SystemNamespace: p.Adapter.Home, Clock: p.Adapter.Clock,
		ParseValues: p.ParseValues, CompileRule: p.CompileRule, CheckRules: p.CheckRules, CheckPrices: p.CheckPrices,
		MayUseTenant: p.mayUse, Engines: engines,
	}, q)
}

// unified is a diff in the form of diff -u.
func unified(before, now string) (string, error) {
	if before == now {
		return "", nil
	}
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(before), B: difflib.SplitLines(now), FromFile: "before", ToFile: "after", Context: 3,
	})
}

func newReader(text []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(text)) }
