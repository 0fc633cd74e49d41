package rollout

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/revision"
)

// Observed is what a status is made from.
type Observed struct {
	// Problem is why the Rollout has no effect, and Reason the same in one word; empty if it has.
	Reason, Problem string
	// Older is the Rollout that counts for some of the clusters; empty if there is none.
	Older string
	// Revision is the subject's newest, and Targets its clusters.
	Revision string
	Targets  []Target
	Now      time.Time
}

// Why a Rollout has no effect.
const (
	reasonNamespace = "WrongNamespace"
	reasonSubject   = "SubjectNotFound"
	reasonOlder     = "OlderRolloutCounts"
	reasonInvalid   = "InvalidSpec"
)

func (c *Controller) observe(ctx context.Context, r *statev1.Rollout) (saw Observed, err error) {
	saw.Now = c.clock()
	var all statev1.RolloutList
	if err := c.kube.List(ctx, &all, client.InNamespace(r.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return saw, fmt.Errorf("listing Rollouts in namespace %s: %w", r.Namespace, err)
	}
	if r.Spec.Subject.Kind == statev1.SubjectClusterDeployment {
		return saw, c.observeMany(ctx, r, all.Items, &saw)
	}
	subject := Subject{Kind: r.Spec.Subject.Kind, Namespace: r.Namespace, Name: r.Spec.Subject.Name}
	first := Of(all.Items, subject)
	switch {
	case subject.Kind == statev1.SubjectMultiClusterService && r.Namespace != c.system:
		saw.Reason, saw.Problem = reasonNamespace, fmt.Sprintf("The Rollout of a MultiClusterService has to be in namespace %s: make it there", c.system)
	case first != nil && first.Name != r.Name:
		saw.Reason, saw.Problem = reasonOlder, fmt.Sprintf("Rollout %s of the same subject is older, and so it counts: delete one of the two", first.Name)
	default:
		return saw, c.observeOne(ctx, r, &saw)
	}
	return saw, nil
}

// observeOne looks at the clusters of one MultiClusterService or NamespacedMultiClusterService.
func (c *Controller) observeOne(ctx context.Context, r *statev1.Rollout, saw *Observed) error {
	owner := placement.Owner{Kind: r.Spec.Subject.Kind, Name: r.Spec.Subject.Name}
	var obj client.Object
	var m kcm.MultiClusterService
	var n statev1.NamespacedMultiClusterService
	spec, status := &m.Spec, &m.Status
	if obj = &m; owner.Kind == statev1.SubjectNamespaced {
		owner.Namespace, obj, spec, status = r.Namespace, &n, &n.Spec, &n.Status
	}
	err := c.kube.Get(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}, obj)
	if apierrors.IsNotFound(err) {
		saw.Reason, saw.Problem = reasonSubject, fmt.Sprintf("%s does not exist yet: its first deployment will go in waves", owner)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", owner, err)
	}
	if saw.Revision, err = revision.Name(revision.Owner{Kind: owner.Kind, Namespace: r.Namespace, Name: owner.Name}, spec.ServiceSpec); err != nil {
		return err
	}
	// A selector that cannot be read selects nothing, and its owner says so.
	wish, _ := placement.NewWish(owner, *spec)
	clusters, err := c.clusters(ctx, owner.Namespace)
	if err != nil {
		return err
	}
	words := map[string]string{}
	for _, mc := range status.MatchingClusters {
		words[mc.Namespace+"/"+mc.Name] = mc.Message
	}
	for _, at := range placement.Targets(wish, targetsOf(clusters)) {
		t, err := c.target(ctx, at, placement.SetKey(owner, at, c.system))
		if err != nil {
			return err
		}
		t.Want, t.Message = saw.Revision, cmp.Or(t.Message, words[t.Cluster])
		saw.Targets = append(saw.Targets, t)
	}
	return nil
}

// observeMany looks at ClusterDeployments, but for those of an older Rollout.
func (c *Controller) observeMany(ctx context.Context, r *statev1.Rollout, all []statev1.Rollout, saw *Observed) error {
	clusters, err := c.clusters(ctx, r.Namespace)
	if err != nil {
		return err
	}
	chosen := 0
	for i := range clusters {
		cd := &clusters[i]
		at := placement.TargetOf(cd)
		subject := Subject{Kind: statev1.SubjectClusterDeployment, Namespace: cd.Namespace, Name: cd.Name, Labels: cd.Labels}
		if at.Leaving || !concerns(r, subject) {
			continue
		}
		chosen++
		if first := Of(all, subject); first != nil && first.Name != r.Name {
			saw.Older = first.Name
			continue
		}
		t, err := c.target(ctx, at, at.Cluster)
		if err != nil {
			return err
		}
		if t.Want, err = revision.Name(revision.Owner{Kind: subject.Kind, Namespace: cd.Namespace, Name: cd.Name}, cd.Spec.ServiceSpec); err != nil {
			return err
		}
		saw.Targets = append(saw.Targets, t)
	}
	if chosen > 0 && len(saw.Targets) == 0 {
		saw.Reason, saw.Problem = reasonOlder, fmt.Sprintf("Rollout %s is older, and counts for all clusters that this one selects: delete one of the two", saw.Older)
	}
	return nil
}

// clusters are the ClusterDeployments of a namespace; of all, if it is empty. They must not be
// changed.
func (c *Controller) clusters(ctx context.Context, namespace string) ([]kcm.ClusterDeployment, error) {
	var list kcm.ClusterDeploymentList
	if err := c.kube.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ClusterDeployments: %w", err)
	}
	return list.Items, nil
}

func targetsOf(clusters []kcm.ClusterDeployment) []placement.Target {
	var out []placement.Target
	for i := range clusters {
		out = append(out, placement.TargetOf(&clusters[i]))
	}
	return out
}

// target is a cluster with what its ServiceSet says.
func (c *Controller) target(ctx context.Context, at placement.Target, key types.NamespacedName) (Target, error) {
	t := Target{Cluster: at.String(), Labels: at.Labels}
	var set kcm.ServiceSet
	err := c.kube.Get(ctx, key, &set)
	if client.IgnoreNotFound(err) != nil {
		return t, fmt.Errorf("reading ServiceSet %s: %w", key, err)
	}
	if err != nil || set.DeletionTimestamp != nil {
		return t, nil
	}
	s := placement.StandingOf(&set)
	t.At = set.Annotations[statev1.RevisionAnnotation]
	t.Deployed, t.Failed, t.Message = s.Deployed, s.Failed != "", cmp.Or(s.Failed, s.Waiting)
	return t, nil
}
