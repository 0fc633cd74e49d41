package fleet

import kcm "portico.dev/portico/api/kcm/v1beta1"

// ServiceElsewhere is the spec of a ServiceTemplate for a copy in another namespace: the copy uses
// the chart or the source of the original, so that nothing is fetched twice. It is false while the
// original's status names no chart.
func ServiceElsewhere(t *kcm.ServiceTemplate) (kcm.ServiceTemplateSpec, bool) {
	spec := *t.Spec.DeepCopy()
	switch {
	case spec.Helm != nil && spec.Helm.ChartSource != nil:
		spec.Helm = &kcm.HelmSpec{ChartSource: sourceElsewhere(*spec.Helm.ChartSource, t)}
	case spec.Helm != nil:
		ref := ChartElsewhere(t.Status.ChartRef, t.Namespace)
		if ref == nil {
			return spec, false
		}
		spec.Helm = &kcm.HelmSpec{ChartRef: ref}
	case spec.Kustomize != nil:
		spec.Kustomize = sourceElsewhere(*spec.Kustomize, t)
	case spec.Resources != nil:
		spec.Resources = sourceElsewhere(*spec.Resources, t)
	}
	return spec, true
}

// ChartElsewhere points from another namespace to the HelmChart of a template's status; nil where
// the status names none. Namespace is the template's.
func ChartElsewhere(ref *kcm.CrossNamespaceSourceReference, namespace string) *kcm.CrossNamespaceSourceReference {
	if ref == nil {
		return nil
	}
	ref = ref.DeepCopy()
	if ref.Namespace == "" {
		ref.Namespace = namespace
	}
	return ref
}

// sourceElsewhere points to the source of a template from another namespace. A ConfigMap or Secret
// can be read in its own alone: one of that name has to be beside the copy.
func sourceElsewhere(s kcm.SourceSpec, t *kcm.ServiceTemplate) *kcm.SourceSpec {
	if ref := s.LocalSourceRef; ref != nil {
		switch {
		case ref.Kind == "ConfigMap" || ref.Kind == "Secret":
			ref.Namespace = ""
		case ref.Namespace == "":
			ref.Namespace = t.Namespace
		}
		return &s
	}
	// The object that is made for a remote source has the name of the template.
	ref := &kcm.LocalSourceRef{Name: t.Name, Namespace: t.Namespace}
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
