package template

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
)

// Template is what the three kinds have in common.
type Template interface {
	client.Object
	GetTemplateStatus() *kcm.TemplateStatus
	// GetHelmSpec is nil for a service template that is not a chart.
	GetHelmSpec() *kcm.HelmSpec
}

// kind is one of the three kinds.
type kind struct {
	name         string
	schemaPrefix string
	empty        func() Template
	list         func() client.ObjectList
	// judge fills what only this kind's status has.
	judge func(Template, Chart) error
}

func kinds() []kind {
	return []kind{
		{
			name: "ClusterTemplate", schemaPrefix: kcm.ClusterTemplateSchemaPrefix,
			empty: func() Template { return &kcm.ClusterTemplate{} }, list: func() client.ObjectList { return &kcm.ClusterTemplateList{} },
			judge: judgeCluster,
		},
		{
			name: "ServiceTemplate", schemaPrefix: kcm.ServiceTemplateSchemaPrefix,
			empty: func() Template { return &kcm.ServiceTemplate{} }, list: func() client.ObjectList { return &kcm.ServiceTemplateList{} },
			judge: judgeService,
		},
		{
			name: "ProviderTemplate", schemaPrefix: kcm.ProviderTemplateSchemaPrefix,
			empty: func() Template { return &kcm.ProviderTemplate{} }, list: func() client.ObjectList { return &kcm.ProviderTemplateList{} },
			judge: judgeProvider,
		},
	}
}

func judgeCluster(t Template, chart Chart) (err error) {
	ct := t.(*kcm.ClusterTemplate)
	ct.Status.Providers = Providers(ct.Spec.Providers, chart)
	if ct.Status.ProviderContracts, err = ProviderContracts(ct.Spec.ProviderContracts, chart); err != nil {
		return err
	}
	ct.Status.KubernetesVersion, err = KubernetesVersion(ct.Spec.KubernetesVersion, chart)
	return err
}

func judgeService(t Template, chart Chart) (err error) {
	st := t.(*kcm.ServiceTemplate)
	st.Status.KubernetesConstraint, err = KubernetesConstraint(st.Spec.KubernetesConstraint, chart)
	return err
}

func judgeProvider(t Template, chart Chart) (err error) {
	pt := t.(*kcm.ProviderTemplate)
	pt.Status.Providers = Providers(pt.Spec.Providers, chart)
	pt.Status.CAPIContracts, err = CAPIContracts(pt.Spec.CAPIContracts, chart)
	return err
}

// origin is the source object that a template's content comes from.
type origin struct {
	kind string
	key  types.NamespacedName
	// path is where in the source a chart is.
	path string
	// made says that the object is made for this template, and as what.
	made any
}

// originOf says where the content of a template is. home is the namespace of cluster-scoped
// templates' sources.
func originOf(t Template, home string) (origin, error) {
	namespace := cmp.Or(t.GetNamespace(), home)
	own := types.NamespacedName{Namespace: namespace, Name: t.GetName()}
	helm := t.GetHelmSpec()
	switch {
	case helm != nil && helm.ChartSpec != nil:
		return origin{kind: "HelmChart", key: own, made: helm.ChartSpec}, nil
	case helm != nil && helm.ChartRef != nil:
		ref := helm.ChartRef
		if ref.Kind != "HelmChart" {
			return origin{}, fmt.Errorf("%w: spec.helm.chartRef.kind is %q: only HelmChart can be read as a chart", fleet.ErrInvalid, ref.Kind)
		}
		return origin{kind: ref.Kind, key: types.NamespacedName{Namespace: cmp.Or(ref.Namespace, namespace), Name: ref.Name}}, nil
	case helm != nil && helm.ChartSource != nil:
		return originOfSource(*helm.ChartSource, own)
	}
	if st, ok := t.(*kcm.ServiceTemplate); ok {
		for _, src := range []*kcm.SourceSpec{st.Spec.Kustomize, st.Spec.Resources} {
			if src != nil {
				return originOfSource(*src, own)
			}
		}
	}
	return origin{}, fmt.Errorf("%w: the spec names no chart, kustomization or manifests", fleet.ErrInvalid)
}

func originOfSource(src kcm.SourceSpec, own types.NamespacedName) (origin, error) {
	if ref := src.LocalSourceRef; ref != nil {
		key := types.NamespacedName{Namespace: own.Namespace, Name: ref.Name}
		if ref.Kind != "ConfigMap" && ref.Kind != "Secret" {
			key.Namespace = cmp.Or(ref.Namespace, own.Namespace)
		}
		return origin{kind: ref.Kind, key: key, path: src.Path}, nil
	}
	switch remote := src.RemoteSourceSpec; {
	case remote == nil:
	case remote.Git != nil:
		return origin{kind: "GitRepository", key: own, path: src.Path, made: remote.Git}, nil
	case remote.Bucket != nil:
		return origin{kind: "Bucket", key: own, path: src.Path, made: remote.Bucket}, nil
	case remote.OCI != nil:
		return origin{kind: "OCIRepository", key: own, path: src.Path, made: remote.OCI}, nil
	}
	return origin{}, fmt.Errorf("%w: the source is neither a localSourceRef nor a remoteSourceSpec with git, bucket or oci", fleet.ErrInvalid)
}
