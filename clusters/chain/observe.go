package chain

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Observed is what a decision about a chain rests on.
type Observed struct {
	// Home is the system namespace.
	Home string `json:"home"`
	// Templates are those that the chain lists, in its order, each once.
	Templates []Listed `json:"templates,omitempty"`
}

// Listed is a template that a chain lists.
type Listed struct {
	Name string `json:"name"`
	// Exists says whether it is in the chain's namespace, Owned whether the chain owns it.
	Exists bool `json:"exists,omitempty"`
	Owned  bool `json:"owned,omitempty"`
	// Original is the template of that name in the system namespace, nil if there is none.
	// Only chains that bring their templates look for it.
	Original *Original `json:"original,omitempty"`

	found Template
}

// Original is how a template in the system namespace stands.
type Original struct {
	Valid   bool   `json:"valid,omitempty"`
	Problem string `json:"problem,omitempty"`

	template Template
}

// brings says whether a chain brings its templates along from the system namespace.
func brings(c Chain, home string) bool {
	return c.GetNamespace() != home && c.GetLabels()[kcm.ManagedLabel] == kcm.LabelTrue
}

func (c *controller) observe(ctx context.Context, chain Chain) (Observed, error) {
	saw := Observed{Home: c.home}
	for _, supported := range chain.GetChainSpec().SupportedTemplates {
		if supported.Name == "" || slices.ContainsFunc(saw.Templates, func(l Listed) bool { return l.Name == supported.Name }) {
			continue
		}
		listed, err := c.listed(ctx, chain, supported.Name)
		if err != nil {
			return saw, err
		}
		saw.Templates = append(saw.Templates, listed)
	}
	return saw, nil
}

func (c *controller) listed(ctx context.Context, chain Chain, name string) (Listed, error) {
	out := Listed{Name: name}
	t, err := c.template(ctx, types.NamespacedName{Namespace: chain.GetNamespace(), Name: name})
	if err != nil {
		return out, err
	}
	if t != nil {
		out.Exists, out.found = true, t
		out.Owned = slices.ContainsFunc(t.GetOwnerReferences(), ownerOf(chain))
	}
	if !brings(chain, c.home) {
		return out, nil
	}
	original, err := c.template(ctx, types.NamespacedName{Namespace: c.home, Name: name})
	if err != nil || original == nil {
		return out, err
	}
	status := original.GetTemplateStatus()
	out.Original = &Original{Valid: status.Valid, Problem: status.ValidationError, template: original}
	return out, nil
}

// template reads one; nil means that there is none.
func (c *controller) template(ctx context.Context, key types.NamespacedName) (Template, error) {
	t := c.kind.emptyTemplate()
	err := c.kube.Get(ctx, client.ObjectKey(key), t)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", c.kind.template, key, err)
	}
	return t, nil
}
