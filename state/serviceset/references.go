package serviceset

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/values"
)

// fluxGroup is where Flux's source kinds live.
var fluxGroup = schema.GroupVersion{Group: "source.toolkit.fluxcd.io", Version: "v1"}

// authority says which objects of the management cluster a set may have read. What a tenant writes
// reaches no farther than the tenant: its own namespace. The platform's own sets, and what a
// MultiClusterService itself names, reach everywhere.
type authority struct {
	namespace string
	platform  bool
	// named is the configuration of the MultiClusterService that the set says it is from.
	named service.Config
}

func (a authority) mayAttach(ref kcm.PolicyRef, namespace string) bool {
	if a.platform || namespace == a.namespace {
		return true
	}
	return slices.ContainsFunc(a.named.PolicyRefs, func(n kcm.PolicyRef) bool {
		return n.Kind == ref.Kind && n.Namespace == ref.Namespace && n.Name == ref.Name
	})
}

// refusal is what is said of an object that a set may not have read.
func (a authority) refusal() string {
	return fmt.Sprintf("a ServiceSet of namespace %s reads objects of that namespace only: copy it there, or have a MultiClusterService name it", a.namespace)
}

// authority asks the MultiClusterService itself what it names: that a set says so proves nothing.
func (l *look) authority(ctx context.Context) (authority, error) {
	if l.may != nil {
		return *l.may, nil
	}
	out := authority{namespace: l.set.Namespace, platform: l.set.Namespace == l.c.home}
	if name := l.set.Spec.MultiClusterService; name != "" && !out.platform {
		var owner kcm.MultiClusterService
		err := l.c.kube.Get(ctx, client.ObjectKey{Name: name}, &owner)
		if client.IgnoreNotFound(err) != nil {
			return out, fmt.Errorf("reading MultiClusterService %s: %w", name, err)
		}
		if provider, wrong := service.ResolveProvider(owner.Spec.ServiceSpec); err == nil && wrong == nil {
			out.named, _ = configOf(provider) // one that cannot be read names nothing
		}
	}
	l.may = &out
	return out, nil
}

// attach reads what the policyRefs of the configuration lead to.
func (l *look) attach(ctx context.Context) error {
	for _, ref := range l.config.PolicyRefs {
		found, err := l.attached(ctx, ref)
		if err != nil {
			return err
		}
		l.saw.Attached = append(l.saw.Attached, found)
	}
	return nil
}

func (l *look) attached(ctx context.Context, ref kcm.PolicyRef) (Attached, error) {
	asked := ref
	ref.Namespace = cmp.Or(ref.Namespace, l.set.Namespace)
	out := Attached{Ref: ref}
	if ref.RemoteURL != nil {
		return l.attachRemote(ctx, ref)
	}
	for _, word := range []*string{&ref.Namespace, &ref.Name} {
		text, unknown, err := l.text(ctx, "the name in policyRefs", *word)
		if err != nil || unknown != (Unknown{}) {
			out.Problem, out.NotYet = unknown.Problem, unknown.NotYet
			return out, err
		}
		*word = text
	}
	out.Ref = ref
	may, err := l.authority(ctx)
	if err != nil {
		return out, err
	}
	if !may.mayAttach(asked, ref.Namespace) {
		out.Problem = may.refusal()
		return out, nil
	}
	out.Source = engine.Source{Ref: engine.SourceRef{Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}, Path: ref.Path}
	if !isPlain(ref.Kind) {
		return out, l.attachArtifact(ctx, &out)
	}
	return out, l.attachContent(ctx, &out)
}

// attachContent takes the manifests out of a ConfigMap or Secret. Those of an object that says so
// hold expressions.
func (l *look) attachContent(ctx context.Context, out *Attached) error {
	text, err := l.content(ctx, out.Source.Ref)
	if err != nil {
		return err
	}
	if out.Missing = !text.exists; out.Missing {
		return nil
	}
	if _, annotated := text.annotations[kcm.ResourceTemplateAnnotation]; annotated {
		if err := l.evaluate(ctx, out, text.data); err != nil || out.Problem != "" || out.NotYet != "" {
			return err
		}
	}
	out.Source, out.Problem = text.source(out.Source, engine.Resource)
	return nil
}

func (l *look) attachArtifact(ctx context.Context, out *Attached) error {
	obj, err := l.readVersion(ctx, fluxGroup.WithKind(out.Ref.Kind), client.ObjectKey{Namespace: out.Ref.Namespace, Name: out.Ref.Name})
	if err != nil {
		return err
	}
	if out.Missing = obj == nil; out.Missing {
		return nil
	}
	artifact, err := artifactOf(obj)
	if err == nil && artifact != nil {
		out.Source.URL, out.Source.Digest, out.Source.Revision = artifact.URL, artifact.Digest, artifact.Revision
	}
	return err
}

// text evaluates a text that may hold expressions.
func (l *look) text(ctx context.Context, what, text string) (string, Unknown, error) {
	if !values.IsTemplate(text) {
		return text, Unknown{}, nil
	}
	facts, unknown, err := l.facts(ctx)
	if err != nil || unknown != (Unknown{}) {
		return "", unknown, err
	}
	out, err := values.Text(what, text, facts)
	if err != nil {
		return "", Unknown{Problem: fleet.Sentence(err)}, nil
	}
	return out, Unknown{}, nil
}

func artifactOf(obj *unstructured.Unstructured) (*meta.Artifact, error) {
	raw, ok, _ := unstructured.NestedMap(obj.Object, "status", "artifact")
	if !ok {
		return nil, nil
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	var out meta.Artifact
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("reading the artifact of %s %s/%s: %w", obj.GetKind(), obj.GetNamespace(), obj.GetName(), err)
	}
	return &out, nil
}
