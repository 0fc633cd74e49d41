package direct

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/state/engine"
)

// Services of manifests of one set may hold the same objects, if it is said which one goes before
// (engine.Service.Yields). What an object is about is decided from what they all hold, and it changes
// hands in place: whoever yields goes first, and whoever gains takes it over where it is.

// before are the sources of the services that one yields to, in their order.
func (s *set) before(svc engine.Service) []engine.Source {
	var out []engine.Source
	for _, key := range slices.SortedFunc(slices.Values(svc.Yields), engine.CompareKeys) {
		if other, ok := s.wants(key); ok && !other.Uninstall {
			out = append(out, other.Source)
		}
	}
	return out
}

// otherSources says whether two lists of sources differ in what they hold.
func otherSources(a, b []engine.Source) bool {
	return !slices.EqualFunc(a, b, func(a, b engine.Source) bool { return a.Digest == b.Digest && a.Path == b.Path })
}

// plain reads manifests, without the objects that others have; elsewhere are those.
func (e errand) plain(ctx context.Context, in wish, files map[string]string) (text []byte, elsewhere []*unstructured.Unstructured, err error) {
	if text, err = manifest.Plain(files, in.Source.Path); err != nil || len(in.before) == 0 {
		return text, nil, err
	}
	var others [][]byte
	for _, source := range in.before {
		files, err := e.files(ctx, source)
		if err != nil {
			return nil, nil, fmt.Errorf("reading what has a lower tier: %w", err)
		}
		other, err := manifest.Plain(files, source.Path)
		if err != nil {
			return nil, nil, fmt.Errorf("reading what has a lower tier: %w", err)
		}
		others = append(others, other)
	}
	return manifest.Without(text, in.Key.Namespace, others...)
}

// files are those of a source, fetched if they did not come along.
func (e errand) files(ctx context.Context, source engine.Source) (map[string]string, error) {
	if source.Files != nil {
		return source.Files, nil
	}
	return e.engine.sources.Files(ctx, source)
}

// takes are the releases that a service may take objects from: those of manifests that the set wants
// no more, and of those that it shares objects with. None of them wants what it takes. A chart that
// goes takes its objects along, whoever has them by then.
func (s *set) takes(key engine.Key) []engine.Key {
	wanted, ok := s.wants(key)
	if !ok || wanted.Kind != engine.Resource {
		return nil
	}
	var out []engine.Key
	for _, other := range slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys) {
		theirs, is := s.wants(other)
		left := s.services[other]
		gone := (!is || theirs.Uninstall) && left.release != nil && left.input.Kind == engine.Resource
		if other != key && (gone || slices.Contains(wanted.Yields, other) || slices.Contains(theirs.Yields, key)) {
			out = append(out, other)
		}
	}
	return out
}

// yieldFirst has changes wait for those of services that yield, and removals for those of all
// services of manifests that stay: they take over what they gain before it would be removed. What
// cannot be changed at present is not waited for.
func (s *set) yieldFirst(steps map[engine.Key]step) {
	var yielding []engine.Key
	for key := range steps {
		wanted, ok := s.wants(key)
		svc := s.services[key]
		changes := steps[key].do == load || steps[key].do == apply || steps[key].do == take
		if ok && wanted.Kind == engine.Resource && svc.attempts == 0 && changes {
			yielding = append(yielding, key)
		}
	}
	slices.SortFunc(yielding, engine.CompareKeys)
	waits := map[engine.Key]string{}
	for key, to := range steps {
		if s.services[key].busy || to.do != apply && to.do != remove {
			continue
		}
		if first := s.first(key, to, yielding); len(first) > 0 {
			waits[key] = strings.Join(first, ", ")
		}
	}
	for key, first := range waits {
		to := steps[key]
		steps[key] = step{do: rest, state: to.state, message: "waits until what may hold the same objects is changed: " + first}
	}
}

// first are those of the yielding services that a step waits for, by their names.
func (s *set) first(key engine.Key, to step, yielding []engine.Key) []string {
	kind := s.services[key].input.Kind
	var out []string
	for _, other := range yielding {
		wanted, _ := s.wants(other)
		yields := slices.Contains(wanted.Yields, key)
		if other != key && (yields || to.do == remove && kind != engine.Helm && kind != engine.Kustomize) {
			out = append(out, other.String())
		}
	}
	return out
}

// shares says in Helm's words what a release shares with others.
func shares(in wish, elsewhere []*unstructured.Unstructured, to *helm.Wanted) {
	if in.Kind != engine.Resource {
		return
	}
	to.Elsewhere = elsewhere
	to.Options.CreateNamespace, to.Options.CreateNamespaces = !in.SkipNamespaces, !in.SkipNamespaces
}
