package helm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
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
	// Misscoped says that it is not the object but a health rule: see Judge.
	Misscoped bool
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
	seen, err := r.Look(ctx, namespace, name)
	return seen.Problems, err
}

// judge says which of a release's objects do not run, sorted by object.
func judge(live []liveObject) []Problem {
	var problems []Problem
	for _, l := range live {
		if p, bad := problemOf(l); bad {
			problems = append(problems, p)
		}
	}
	sortProblems(problems)
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

// live fetches objects of a release, those of the names in only, or all. A kind that the
// cluster does not have any more has no objects.
func (r *Releases) live(ctx context.Context, k key, objects []Object, only []string) ([]liveObject, error) {
	client, err := r.cluster.session(ctx).DynamicClient()
	if err != nil {
		return nil, err
	}
	through := lens{r.cluster.mapper, client, k.namespace}
	var out []liveObject
	for _, o := range objects {
		l, where, err := through.find(o)
		if err == nil && len(only) > 0 && !slices.Contains(only, l.name) {
			continue
		}
		if err == nil && where != nil {
			l.object, l.pods, err = through.look(ctx, where, o.Name)
		}
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

// find says where an object is, and its full name; nowhere if the cluster has no such kind.
func (l lens) find(o Object) (liveObject, dynamic.ResourceInterface, error) {
	mapping, err := l.mapper.RESTMapping(o.GroupKind(), o.Version)
	if err != nil {
		o.Namespace = ""
		if meta.IsNoMatchError(err) {
			err = nil
		}
		return liveObject{name: o.String()}, nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		o.Namespace = ""
		return liveObject{name: o.String()}, l.client.Resource(mapping.Resource), nil
	}
	o.Namespace = cmp.Or(o.Namespace, l.namespace)
	return liveObject{name: o.String()}, l.client.Resource(mapping.Resource).Namespace(o.Namespace), nil
}

// look fetches an object, and its pods if something is wrong with it; nil if it is not there.
func (l lens) look(ctx context.Context, where dynamic.ResourceInterface, name string) (*unstructured.Unstructured, []corev1.Pod, error) {
	object, err := where.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	pods, err := l.pods(ctx, object)
	return object, pods, err
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
