package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/revision"
	"portico.dev/portico/state/service"
)

// Gate says which services of a ClusterDeployment count now: the newest, or those that its wave
// allows. It records what was wanted, so that there is something to go back to. It fulfils
// service.Gate.
type Gate struct {
	kube  client.Client
	store *revision.Store
	// cache tells of Rollouts that change; nil where nobody listens.
	cache cache.Cache
}

var _ service.Gate = (*Gate)(nil)

// NewGate returns a gate. Where the cache is nil nobody is told that a turn has come.
func NewGate(kube client.Client, informers cache.Cache) *Gate {
	return &Gate{kube: kube, store: revision.NewStore(kube), cache: informers}
}

// Turn implements service.Gate.
func (g *Gate) Turn(ctx context.Context, cd *kcm.ClusterDeployment) (service.Turn, error) {
	owner := revision.Owner{Kind: statev1.SubjectClusterDeployment, Namespace: cd.Namespace, Name: cd.Name}
	has, err := g.has(ctx, cd)
	if err != nil {
		return service.Turn{}, err
	}
	if has == "" && len(cd.Spec.ServiceSpec.Services) == 0 {
		return service.Turn{Spec: cd.Spec.ServiceSpec}, nil // a cluster that never had services needs no history
	}
	newest, recorded, err := g.store.Record(ctx, revision.Subject{
		Owner: owner, Reference: control.ControlledBy(cd, kcm.GroupVersion.WithKind(kcm.ClusterDeploymentKind)), Spec: cd.Spec.ServiceSpec,
	})
	if err != nil {
		return service.Turn{}, err
	}
	var all statev1.RolloutList
	if err := g.kube.List(ctx, &all, client.InNamespace(cd.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return service.Turn{}, fmt.Errorf("listing Rollouts in namespace %s: %w", cd.Namespace, err)
	}
	r := Of(all.Items, Subject{Kind: owner.Kind, Namespace: cd.Namespace, Name: cd.Name, Labels: cd.Labels})
	answer := RevisionFor(r, Ask{
		Cluster: cd.Namespace + "/" + cd.Name, Newest: newest, Has: has,
		Recorded: func(name string) bool { _, ok := recorded[name]; return ok },
	})
	g.store.Prune(ctx, owner, append(InUse(r), newest, has))
	if answer.Revision == "" {
		return service.Turn{Spec: cd.Spec.ServiceSpec, Wait: answer.Hold}, nil
	}
	return service.Turn{Spec: recorded[answer.Revision], Revision: answer.Revision}, nil
}

// has is the revision that the ServiceSet of a cluster was made from; empty if there is none.
func (g *Gate) has(ctx context.Context, cd *kcm.ClusterDeployment) (string, error) {
	var set kcm.ServiceSet
	err := g.kube.Get(ctx, client.ObjectKeyFromObject(cd), &set)
	if err != nil && !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("reading ServiceSet %s/%s: %w", cd.Namespace, cd.Name, err)
	}
	return set.Annotations[statev1.RevisionAnnotation], nil
}

// Changes implements service.Gate: a Rollout that has changed may give a turn to the clusters of
// its namespace.
func (g *Gate) Changes() source.Source {
	if g.cache == nil {
		return nil
	}
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	all := func(ctx context.Context, r *statev1.Rollout, q queue) { add(q, g.concerned(ctx, r)) }
	return source.Kind(g.cache, &statev1.Rollout{}, handler.TypedFuncs[*statev1.Rollout, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*statev1.Rollout], q queue) { all(ctx, e.Object, q) },
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[*statev1.Rollout], q queue) { all(ctx, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*statev1.Rollout], q queue) {
			add(q, g.turned(ctx, e.ObjectOld, e.ObjectNew))
		},
	})
}

// turned are the clusters for which a Rollout says something else than before: as it goes on, these
// are few.
func (g *Gate) turned(ctx context.Context, was, now *statev1.Rollout) []reconcile.Request {
	if now.Spec.Subject.Kind != statev1.SubjectClusterDeployment {
		return nil
	}
	if was.Generation != now.Generation || was.Status.Phase != now.Status.Phase || was.Status.Stable != now.Status.Stable ||
		(was.DeletionTimestamp == nil) != (now.DeletionTimestamp == nil) {
		return g.concerned(ctx, now)
	}
	return admittedAnew(was.Status, now.Status)
}

// admittedAnew are the clusters that may have other revisions than before, be it more or fewer.
func admittedAnew(was, now statev1.RolloutStatus) []reconcile.Request {
	before, after := entriesOf(was), entriesOf(now)
	changed := map[string]bool{}
	for _, entries := range []map[string][]string{before, after} {
		for cluster := range entries {
			changed[cluster] = !slices.Equal(before[cluster], after[cluster])
		}
	}
	var out []reconcile.Request
	for _, cluster := range slices.Sorted(maps.Keys(changed)) {
		if changed[cluster] {
			out = append(out, reconcile.Request{NamespacedName: placement.ParseCluster(cluster)})
		}
	}
	return out
}

func (g *Gate) concerned(ctx context.Context, r *statev1.Rollout) []reconcile.Request {
	if r.Spec.Subject.Kind != statev1.SubjectClusterDeployment {
		return nil
	}
	var found kcm.ClusterDeploymentList
	if err := g.kube.List(ctx, &found, client.InNamespace(r.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the clusters of a Rollout", "rollout", r.Name)
		return nil
	}
	return control.Requests(&found)
}
