package chain

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Chain is a chain of either kind.
type Chain interface {
	client.Object
	GetChainSpec() *kcm.TemplateChainSpec
	GetChainStatus() *kcm.TemplateChainStatus
}

// Template is a template of either kind.
type Template interface {
	client.Object
	GetTemplateStatus() *kcm.TemplateStatus
}

// kind is one kind of chain.
type kind struct {
	// name is that of the chain's kind, template that of what it lists.
	name, template string

	empty         func() Chain
	list          func() client.ObjectList
	emptyTemplate func() Template
	// copy makes what a chain puts beside itself in place of the original.
	copy func(original Template) (Template, error)
}

func kinds() []kind {
	return []kind{
		{
			name: kcm.ClusterTemplateChainKind, template: kcm.ClusterTemplateKind,
			empty:         func() Chain { return &kcm.ClusterTemplateChain{} },
			list:          func() client.ObjectList { return &kcm.ClusterTemplateChainList{} },
			emptyTemplate: func() Template { return &kcm.ClusterTemplate{} },
			copy:          func(t Template) (Template, error) { return copyCluster(t.(*kcm.ClusterTemplate)) },
		},
		{
			name: kcm.ServiceTemplateChainKind, template: kcm.ServiceTemplateKind,
			empty:         func() Chain { return &kcm.ServiceTemplateChain{} },
			list:          func() client.ObjectList { return &kcm.ServiceTemplateChainList{} },
			emptyTemplate: func() Template { return &kcm.ServiceTemplate{} },
			copy:          func(t Template) (Template, error) { return copyService(t.(*kcm.ServiceTemplate)) },
		},
	}
}

// copyCluster is a template that uses the chart of the original.
func copyCluster(t *kcm.ClusterTemplate) (Template, error) {
	ref, err := chartOf(t)
	if err != nil {
		return nil, err
	}
	spec := t.Spec.DeepCopy()
	spec.Helm = kcm.HelmSpec{ChartRef: ref}
	return &kcm.ClusterTemplate{Spec: *spec}, nil
}

// copyService is a template that uses the chart or the source of the original.
func copyService(t *kcm.ServiceTemplate) (Template, error) {
	spec := t.Spec.DeepCopy()
	switch {
	case spec.Helm != nil && spec.Helm.ChartSource != nil:
		spec.Helm = &kcm.HelmSpec{ChartSource: sourceOf(*spec.Helm.ChartSource, t)}
	case spec.Helm != nil:
		ref, err := chartOf(t)
		if err != nil {
			return nil, err
		}
		spec.Helm = &kcm.HelmSpec{ChartRef: ref}
	case spec.Kustomize != nil:
		spec.Kustomize = sourceOf(*spec.Kustomize, t)
	case spec.Resources != nil:
		spec.Resources = sourceOf(*spec.Resources, t)
	}
	return &kcm.ServiceTemplate{Spec: *spec}, nil
}

// chartOf points to the HelmChart of a template from another namespace.
func chartOf(t Template) (*kcm.CrossNamespaceSourceReference, error) {
	ref := t.GetTemplateStatus().ChartRef
	if ref == nil {
		return nil, fmt.Errorf("its status names no chart")
	}
	ref = ref.DeepCopy()
	if ref.Namespace == "" {
		ref.Namespace = t.GetNamespace()
	}
	return ref, nil
}

// sourceOf points to the source of a template from another namespace. A ConfigMap or Secret can
// only be read in its own, so one of that name has to be beside the chain.
func sourceOf(s kcm.SourceSpec, t Template) *kcm.SourceSpec {
	if ref := s.LocalSourceRef; ref != nil {
		switch {
		case ref.Kind == "ConfigMap" || ref.Kind == "Secret":
			ref.Namespace = ""
		case ref.Namespace == "":
			ref.Namespace = t.GetNamespace()
		}
		return &s
	}
	// The object that is made for a remote source has the name of the template.
	ref := &kcm.LocalSourceRef{Name: t.GetName(), Namespace: t.GetNamespace()}
	switch remote := s.RemoteSourceSpec; {
	case remote == nil:
		return &s
	case remote.Git != nil:
		ref.Kind = "GitRepository"
	case remote.Bucket != nil:
		ref.Kind = "Bucket"
	case remote.OCI != nil:
		ref.Kind = "OCIRepository"
	}
	s.LocalSourceRef, s.RemoteSourceSpec = ref, nil
	return &s
}
