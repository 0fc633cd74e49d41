package chain

import (
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
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

// errNoChart says that a template was not judged yet.
var errNoChart = errors.New("its status names no chart")

// copyCluster is a template that uses the chart of the original.
func copyCluster(t *kcm.ClusterTemplate) (Template, error) {
	ref := fleet.ChartElsewhere(t.Status.ChartRef, t.Namespace)
	if ref == nil {
		return nil, errNoChart
	}
	spec := t.Spec.DeepCopy()
	spec.Helm = kcm.HelmSpec{ChartRef: ref}
	return &kcm.ClusterTemplate{Spec: *spec}, nil
}

// copyService is a template that uses the chart or the source of the original.
func copyService(t *kcm.ServiceTemplate) (Template, error) {
	spec, ok := fleet.ServiceElsewhere(t)
	if !ok {
		return nil, errNoChart
	}
	return &kcm.ServiceTemplate{Spec: spec}, nil
}
