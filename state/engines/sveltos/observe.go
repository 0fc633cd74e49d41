package sveltos

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/verdict"
)

// loading bounds how long a chart may take to be fetched and read.
const loading = time.Minute

// turn is one pass over a set.
type turn struct {
	ctx     context.Context
	stop    context.CancelFunc
	engine  *Engine
	ref     engine.Ref
	round   int
	cluster Cluster
	want    engine.Set
	removal *engine.Removal
	trusted time.Time

	known  map[engine.Key]bool
	needs  map[engine.Key][]engine.Key
	health map[engine.Key]health
	loads  map[engine.Key]load

	carried map[string]where
	untidy  bool

	// silent says that the target did not answer; retry that something could not be read, and
	// may be later.
	silent, retry bool
}

// observe reads everything that a decision rests on.
func (t *turn) observe() (seen, error) {
	saw := seen{at: address{set: t.ref.Set, target: t.ref.Target, sveltos: true}, known: t.known, needs: t.needs, trusted: t.trusted, health: map[engine.Key]string{}, unhealthy: map[engine.Key][]engine.Unhealthy{}}
	if !t.ref.Target.Management {
		cluster, err := t.read(sveltosClusterKind, t.ref.Target.Cluster)
		if err != nil {
			return saw, err
		}
		saw.at.sveltos = cluster != nil
	}
	if err := t.hear(&saw); err != nil {
		return saw, err
	}
	releases, err := t.cluster.List(t.ctx, "owner", "helm")
	if err != nil {
		t.silent = true
		return saw, err
	}
	saw.releases = releases
	if t.removal != nil {
		return saw, nil
	}
	saw.loaded = t.load(saw.at)
	return saw, t.look(&saw)
}

// hear reads what Sveltos was told, and what it says.
func (t *turn) hear(saw *seen) error {
	kind, name := saw.at.profile()
	profile, err := t.read(kind, name)
	if err != nil {
		return err
	}
	saw.told = readProfile(profile)
	summary, err := t.read(summaryKind, saw.at.summary())
	if err != nil {
		return err
	}
	saw.heard = readSummary(summary, saw.told)
	return t.neighbours(saw)
}

// neighbours reads who else has, or wants, releases of this set.
func (t *turn) neighbours(saw *seen) error {
	saw.owners, saw.rivals = map[engine.Key]claim{}, map[engine.Key]bool{}
	kind, _ := saw.at.profile()
	profiles, err := t.list(kind, t.ref.Set.Namespace, client.MatchingLabels{targetLabel: ownerOf(saw.at.cluster())})
	if err != nil {
		return err
	}
	for i := range profiles.Items {
		other := readProfile(&profiles.Items[i])
		set := setOf(other.object)
		if set.Name == t.ref.Set.Name || other.deleting {
			continue
		}
		for _, e := range other.entries {
			if _, both := saw.told.entry(e.key()); both && !e.leaving() {
				saw.rivals[e.key()] = true
			}
		}
	}
	summaries, err := t.list(summaryKind, saw.at.cluster().Namespace, client.MatchingLabels{summaryLabel: saw.at.cluster().Name})
	if err != nil {
		return err
	}
	for i := range summaries.Items {
		other := &summaries.Items[i]
		if set := setOf(other); set.Name != t.ref.Set.Name {
			if set.Namespace == "" {
				set.Namespace = t.ref.Set.Namespace
			}
			t.claim(saw, claim{set.String(), tierIn(other)}, readSummary(other, nil))
		}
	}
	return nil
}

func (t *turn) claim(saw *seen, by claim, h *heard) {
	for key, word := range h.releases {
		if word.mine {
			saw.owners[key] = by
		}
	}
}

// load reads the charts and values that are not known yet.
func (t *turn) load(at address) map[engine.Key]loaded {
	out := map[engine.Key]loaded{}
	for _, svc := range t.want.Services {
		if svc.Uninstall || svc.Problem != "" || svc.NotYet != "" {
			continue
		}
		have, known := t.loads[svc.Key]
		if !known || !have.final || differs(have.input, svc) || !reflect.DeepEqual(have.patches, t.want.Policy.Patches) || have.input.Source.URL != svc.Source.URL {
			have = t.loadOne(at, svc)
			t.loads[svc.Key] = have
		}
		if have.loaded.err != "" && !have.final {
			t.retry = true
		}
		out[svc.Key] = have.loaded
	}
	return out
}

func (t *turn) loadOne(at address, svc engine.Service) load {
	ctx, cancel := context.WithTimeout(t.ctx, loading)
	defer cancel()
	out := load{input: svc, patches: t.want.Policy.Patches}
	w, err := t.wish(ctx, at, svc)
	if err != nil {
		out.loaded.err, out.final = fleet.Sentence(err), errors.Is(err, fleet.ErrInvalid)
		return out
	}
	out.loaded.wish, out.final = w, true
	return out
}

func (t *turn) wish(ctx context.Context, at address, svc engine.Service) (wish, error) {
	chart, err := t.engine.Charts.Chart(ctx, svc.Source)
	if err != nil {
		return wish{}, err
	}
	values, err := helm.ParseValues([]byte(svc.Values))
	if err != nil {
		return wish{}, fmt.Errorf("reading the values: %w", err)
	}
	if err := helm.Check(chart, values); err != nil && !svc.Options.SkipSchemaValidation {
		return wish{}, err
	}
	return translate(at, svc, made{chart, values, t.want.Policy.Patches})
}

// look asks how the objects of those releases stand of which it is not known.
func (t *turn) look(saw *seen) error {
	for _, svc := range t.want.Services {
		release := saw.releases[svc.Key]
		if release.Status != helm.Deployed && release.Status != helm.Pending {
			continue
		}
		if known, ok := t.health[svc.Key]; ok && known.revision == release.Revision && release.Status == helm.Deployed {
			saw.health[svc.Key] = known.problem
			continue
		}
		problems, err := t.problems(svc.Key)
		if err != nil {
			t.silent = true
			return err
		}
		saw.health[svc.Key], saw.unhealthy[svc.Key] = helm.Words(problems), verdict.Unhealthy(problems)
	}
	return nil
}

// problems are what does not run of a release, and what rules do not hold of.
func (t *turn) problems(key engine.Key) ([]helm.Problem, error) {
	problems, err := t.cluster.Health(t.ctx, key.Namespace, key.Name)
	if err != nil || len(t.want.Health) == 0 {
		return problems, err
	}
	judged, err := t.cluster.Judge(t.ctx, key, verdict.Rules(t.want.Health))
	return helm.Both(problems, judged), err
}

// read returns an object as the cache has it, or nil.
func (t *turn) read(kind schema.GroupVersionKind, name types.NamespacedName) (*unstructured.Unstructured, error) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kind)
	err := t.engine.Cache.Get(t.ctx, name, obj)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s: %w", kind.Kind, name, err)
	}
	return obj, nil
}

func (t *turn) list(kind schema.GroupVersionKind, namespace string, labels client.MatchingLabels) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{}
	kind.Kind += "List"
	list.SetGroupVersionKind(kind)
	in := []client.ListOption{labels}
	if kind.Kind != clusterProfileKind.Kind+"List" {
		in = append(in, client.InNamespace(namespace))
	}
	if err := t.engine.Cache.List(t.ctx, list, in...); err != nil {
		return nil, fmt.Errorf("listing objects of kind %s: %w", kind.Kind, err)
	}
	return list, nil
}
