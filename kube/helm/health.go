package helm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	release "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// Problem is an object of a release that does not run, or not yet.
type Problem struct {
	// Object is "Kind namespace/name", or "Kind name" where there is no namespace.
	Object string
	// Message says what is wrong with it, and with its pods if it has any.
	Message string
}

// liveObject is an object of a release as the cluster has it.
type liveObject struct {
	// name is "Kind namespace/name".
	name string
	// object is nil if it is not there.
	object *unstructured.Unstructured
	// pods are those of a workload that is not ready.
	pods []corev1.Pod
}

// Health says which objects of a release's last revision do not run, sorted by object; none
// means that all do. It looks once and waits for nothing: whoever watches the objects (see
// Wanted.ObjectLabels) knows when to look again. A release that is not there has no problems.
func (r *Releases) Health(ctx context.Context, namespace, name string) ([]Problem, error) {
	k := key{namespace, name}
	last, err := r.last(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	if last == nil {
		return nil, nil
	}
	live, err := r.live(ctx, last)
	if err != nil {
		return nil, fmt.Errorf("looking at the objects of release %s: %w", k, classify(err))
	}
	return judge(live), nil
}

// judge says which of a release's objects do not run, sorted by object.
func judge(live []liveObject) []Problem {
	var problems []Problem
	for _, l := range live {
		if p, bad := problemOf(l); bad {
			problems = append(problems, p)
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Object, b.Object) })
	return problems
}

func problemOf(l liveObject) (Problem, bool) {
	if l.object == nil {
		return Problem{Object: l.name, Message: "it was deleted"}, true
	}
	if l.object.GetDeletionTimestamp() != nil {
		return Problem{Object: l.name, Message: ending(l.object)}, true
	}
	result, err := status.Compute(l.object)
	if err != nil {
		return Problem{Object: l.name, Message: "its status cannot be read: " + err.Error()}, true
	}
	if result.Status == status.CurrentStatus {
		return Problem{}, false
	}
	said := []string{cmp.Or(strings.TrimSpace(result.Message), string(result.Status))}
	if why := firstReason(l.pods); why != "" {
		said = append(said, why)
	}
	return Problem{Object: l.name, Message: strings.Join(said, ": ")}, true
}

// ending says what an object waits for that is being deleted.
func ending(o *unstructured.Unstructured) string {
	said := []string{"it is being deleted"}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		// What keeps a namespace, it says in its conditions.
		condition, _ := c.(map[string]any)
		if message, _ := condition["message"].(string); o.GetKind() == "Namespace" && condition["status"] == "True" && message != "" {
			said = append(said, message)
		}
	}
	if finalizers := o.GetFinalizers(); len(finalizers) > 0 {
		said = append(said, "it waits for whoever takes away its finalizers "+strings.Join(finalizers, ", "))
	}
	return strings.Join(said, ": ")
}

// firstReason says why the first of the pods, by name, that has something to say does not run.
func firstReason(pods []corev1.Pod) string {
	pods = slices.SortedFunc(slices.Values(pods), func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range pods {
		for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if why := containerReason(c); why != "" {
				return fmt.Sprintf("pod %s, container %s: %s", p.Name, c.Name, why)
			}
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				return fmt.Sprintf("pod %s: %s", p.Name, c.Message)
			}
		}
	}
	return ""
}

func containerReason(c corev1.ContainerStatus) string {
	switch w, t := c.State.Waiting, c.State.Terminated; {
	case w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing":
		return strings.TrimSuffix(w.Reason+": "+w.Message, ": ")
	case t != nil && t.ExitCode != 0:
		return fmt.Sprintf("it ended with code %d (%s)", t.ExitCode, t.Reason)
	}
	return ""
}

// live fetches the objects of a revision. A kind that the cluster does not have any more
// has no objects.
func (r *Releases) live(ctx context.Context, of *release.Release) ([]liveObject, error) {
	objects, err := appliedBy(of)
	if err != nil {
		return nil, err
	}
	client, err := r.cluster.session(ctx).DynamicClient()
	if err != nil {
		return nil, err
	}
	through := lens{r.cluster.mapper, client, of.Namespace}
	out := make([]liveObject, 0, len(objects))
	for _, o := range objects {
		l, err := through.look(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", l.name, err)
		}
		out = append(out, l)
	}
	return out, nil
}

// lens is what looking at objects needs.
type lens struct {
	mapper    meta.RESTMapper
	client    dynamic.Interface
	namespace string
}

func (l lens) look(ctx context.Context, o *unstructured.Unstructured) (liveObject, error) {
	gvk, found := o.GroupVersionKind(), liveObject{name: o.GetKind() + " " + o.GetName()}
	mapping, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	where := dynamic.ResourceInterface(l.client.Resource(mapping.Resource))
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace := cmp.Or(o.GetNamespace(), l.namespace)
		where, found.name = l.client.Resource(mapping.Resource).Namespace(namespace), o.GetKind()+" "+namespace+"/"+o.GetName()
	}
	object, err := where.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	found.object = object
	found.pods, err = l.pods(ctx, object)
	return found, err
}

// pods lists those of a workload that is not ready; nobody asks about the others.
func (l lens) pods(ctx context.Context, of *unstructured.Unstructured) ([]corev1.Pod, error) {
	chosen, ok, _ := unstructured.NestedStringMap(of.Object, "spec", "selector", "matchLabels")
	if !ok {
		return nil, nil
	}
	if result, err := status.Compute(of); err != nil || result.Status == status.CurrentStatus {
		return nil, nil
	}
	list, err := l.client.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(of.GetNamespace()).
		List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(chosen).String()})
	if err != nil {
		return nil, err
	}
	pods := make([]corev1.Pod, len(list.Items))
	for i, item := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &pods[i]); err != nil {
			return nil, err
		}
	}
	return pods, nil
}
