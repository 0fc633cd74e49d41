package service

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Gather reads what a request needs from the API server: the provider, the templates and chains of
// the set's namespace, and the set as it is. What does not exist is left out; the set's state says
// what is missing.
func Gather(ctx context.Context, kube client.Reader, req *Request) error {
	var provider kcm.StateManagementProvider
	name := cmp.Or(req.Spec.Provider.Name, kcm.DefaultStateManagementProviderName)
	if found, err := get(ctx, kube, client.ObjectKey{Name: name}, &provider); err != nil {
		return err
	} else if found {
		req.Provider = &provider
	}
	var set kcm.ServiceSet
	if found, err := get(ctx, kube, req.Name, &set); err != nil {
		return err
	} else if found {
		req.Stored = &set
	}
	return gatherTemplates(ctx, kube, req)
}

func gatherTemplates(ctx context.Context, kube client.Reader, req *Request) error {
	templates := map[string]bool{}
	req.Templates, req.Chains = map[string]Template{}, map[string]kcm.TemplateChainSpec{}
	for _, svc := range req.Spec.Services {
		templates[svc.Template] = true
		if _, seen := req.Chains[svc.TemplateChain]; seen || svc.TemplateChain == "" {
			continue
		}
		var chain kcm.ServiceTemplateChain
		found, err := get(ctx, kube, client.ObjectKey{Namespace: req.Name.Namespace, Name: svc.TemplateChain}, &chain)
		if err != nil {
			return err
		}
		if found {
			req.Chains[svc.TemplateChain] = chain.Spec
		}
		for _, t := range chain.Spec.SupportedTemplates {
			templates[t.Name] = true
		}
	}
	for name := range templates {
		var t kcm.ServiceTemplate
		found, err := get(ctx, kube, client.ObjectKey{Namespace: req.Name.Namespace, Name: name}, &t)
		if err != nil {
			return err
		}
		if found {
			req.Templates[name] = TemplateOf(&t)
		}
	}
	return nil
}

// get says whether the object exists.
func get(ctx context.Context, kube client.Reader, key client.ObjectKey, into client.Object) (bool, error) {
	err := kube.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %T %s: %w", into, key, err)
	}
	return true, nil
}
