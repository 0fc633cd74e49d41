package release

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Observed is what a verdict rests on.
type Observed struct {
	Now time.Time `json:"now"`
	// Templates are the ProviderTemplates that the release lists, sorted by name.
	Templates []Template `json:"templates,omitempty"`
}

// Template is how one ProviderTemplate stands.
type Template struct {
	Name string `json:"name"`
	// Exists says whether there is one of that name.
	Exists bool `json:"exists,omitempty"`
	// Checked says whether its present spec has been looked at.
	Checked bool `json:"checked,omitempty"`
	// Valid says whether it can be used, Problem why not.
	Valid   bool   `json:"valid,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (c *Controller) observe(ctx context.Context, r *kcm.Release) (Observed, error) {
	saw := Observed{Now: c.clock()}
	for _, name := range templatesOf(r) {
		var t kcm.ProviderTemplate
		err := c.kube.Get(ctx, client.ObjectKey{Name: name}, &t)
		switch {
		case apierrors.IsNotFound(err):
			saw.Templates = append(saw.Templates, Template{Name: name})
		case err != nil:
			return saw, fmt.Errorf("reading ProviderTemplate %s: %w", name, err)
		default:
			saw.Templates = append(saw.Templates, Template{
				Name: name, Exists: true, Checked: t.Status.ObservedGeneration == t.Generation,
				Valid: t.Status.Valid, Problem: t.Status.ValidationError,
			})
		}
	}
	return saw, nil
}

// templatesOf are the names of the ProviderTemplates that a release lists, each once.
func templatesOf(r *kcm.Release) []string {
	names := admission.ReleaseTemplates(r)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}
