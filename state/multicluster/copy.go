package multicluster

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
)

// reference is an owner among several: what it refers to goes when all of them have gone.
func reference(obj client.Object, k kind) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: k.gvk.GroupVersion().String(), Kind: k.gvk.Kind, Name: obj.GetName(), UID: obj.GetUID()}
}

// users are the owners of services for whom a template was copied; none if it is no copy.
func users(t *kcm.ServiceTemplate) []types.UID {
	var out []types.UID
	for _, ref := range t.OwnerReferences {
		for _, k := range kinds {
			if ref.Kind == k.gvk.Kind && ref.APIVersion == k.gvk.GroupVersion().String() {
				out = append(out, ref.UID)
			}
		}
	}
	return out
}

// Copy is a template for another namespace, as the distribution of a chain makes it: it uses what
// the original has fetched, so that nothing is fetched twice. It is pure.
func Copy(t *kcm.ServiceTemplate, namespace string, owner metav1.OwnerReference) (*kcm.ServiceTemplate, error) {
	out := &kcm.ServiceTemplate{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: t.Name, OwnerReferences: []metav1.OwnerReference{owner},
			Labels: map[string]string{kcm.ManagedLabel: kcm.LabelTrue, kcm.ComponentLabel: kcm.ComponentKCM},
		},
		Spec: *t.Spec.DeepCopy(),
	}
	switch spec := &out.Spec; {
	case spec.Helm != nil && spec.Helm.ChartSource != nil:
		spec.Helm = &kcm.HelmSpec{ChartSource: sourceOf(*spec.Helm.ChartSource, t)}
	case spec.Helm != nil:
		ref := t.Status.ChartRef.DeepCopy()
		if ref == nil {
			return nil, fmt.Errorf("ServiceTemplate %s/%s: %w: its status names no chart", t.Namespace, t.Name, fleet.ErrNotYet)
		}
		if ref.Namespace == "" {
			ref.Namespace = t.Namespace
		}
		spec.Helm = &kcm.HelmSpec{ChartRef: ref}
	case spec.Kustomize != nil:
		spec.Kustomize = sourceOf(*spec.Kustomize, t)
	case spec.Resources != nil:
		spec.Resources = sourceOf(*spec.Resources, t)
	}
	return out, nil
}

// sourceOf points to the source of a template from another namespace. A ConfigMap or Secret can
// be read in its own alone: one of that name has to be beside the copy.
func sourceOf(s kcm.SourceSpec, t *kcm.ServiceTemplate) *kcm.SourceSpec {
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
