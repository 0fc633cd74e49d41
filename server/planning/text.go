package planning

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/state/engine"
)

// Sources read what a service is made of.
type Sources interface {
	// Chart returns the chart behind the source. The error wraps fleet.ErrInvalid if what is
	// there is no chart.
	Chart(ctx context.Context, source engine.Source) (*helm.Chart, error)
	// Files are those of the archive behind the source.
	Files(ctx context.Context, source engine.Source) (map[string]string, error)
}

// text is what a service puts on its cluster, as manifests in the order of their names.
func (p *Planner) text(ctx context.Context, svc engine.Service, policy engine.Policy) (string, error) {
	objects, err := p.objects(ctx, svc, policy)
	if err != nil {
		return "", err
	}
	slices.SortFunc(objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	var out strings.Builder
	for _, o := range objects {
		text, err := yaml.Marshal(sealed(o).Object)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "---\n%s", text)
	}
	return out.String(), nil
}

func (p *Planner) objects(ctx context.Context, svc engine.Service, policy engine.Policy) ([]*unstructured.Unstructured, error) {
	if svc.Kind != engine.Helm {
		return p.manifests(ctx, svc)
	}
	chart, err := p.Sources.Chart(ctx, svc.Source)
	if err != nil {
		return nil, err
	}
	values, err := helm.ParseValues([]byte(svc.Values))
	if err != nil {
		return nil, err
	}
	release := helm.Release{Namespace: svc.Key.Namespace, Name: svc.Key.Name}
	for _, patch := range policy.Patches {
		target := manifest.Selector(patch.Target)
		release.Patches = append(release.Patches, helm.Patch{Patch: patch.Patch, Target: &target})
	}
	rendered, err := helm.Render(chart, values, release)
	if err != nil {
		return nil, err
	}
	return slices.Concat(rendered.CRDs, rendered.Objects), nil
}

func (p *Planner) manifests(ctx context.Context, svc engine.Service) ([]*unstructured.Unstructured, error) {
	files := svc.Source.Files
	if files == nil {
		var err error
		if files, err = p.Sources.Files(ctx, svc.Source); err != nil {
			return nil, err
		}
	}
	made, err := manifest.Plain(files, svc.Source.Path)
	if svc.Kind == engine.Kustomize {
		made, err = manifest.KustomizeWithin(ctx, files, svc.Source.Path, manifest.KustomizeOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	}
	return manifest.Objects(made)
}

// sealed hides what a Secret holds; that something of it changes can still be seen.
func sealed(o *unstructured.Unstructured) *unstructured.Unstructured {
	if o.GetKind() != "Secret" {
		return o
	}
	out := o.DeepCopy()
	for _, part := range []string{"data", "stringData"} {
		values, _, err := unstructured.NestedMap(out.Object, part)
		if err != nil {
			continue // it is no map, and the API server will say so
		}
		for key, value := range values {
			values[key] = fmt.Sprintf("(%s)", engine.DigestOf(map[string]string{"": fmt.Sprint(value)})[:15])
		}
		if len(values) > 0 {
			out.Object[part] = values
		}
	}
	return out
}
