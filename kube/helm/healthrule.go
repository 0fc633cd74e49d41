package helm

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/rule"
)

// HealthRule says when objects of a kind are healthy, beyond what kstatus knows.
type HealthRule struct {
	// Source is what messages call the rule, for example "health rule 2 of ConfigMap team/rules".
	Source               string
	Group, Version, Kind string
	// ClusterScoped says that the objects have no namespace.
	ClusterScoped bool
	// Healthy is a condition in CEL over the object, which it calls by RuleVariable.
	Healthy string
	// Message says of an object of which it does not hold what is missing; empty for nothing.
	Message string
}

// RuleVariable is what health rules call their object.
const RuleVariable = "obj"

// NameLabels are the labels of which one has the name of the release that an object belongs to,
// where it is not of the release itself: what an operator has made for it, for example.
func NameLabels() []string {
	return []string{"release", "app", "app.kubernetes.io/instance", "app.kubernetes.io/name"}
}

const (
	// listed is how many objects are held at a time, mostProblems after how many of a kind nobody
	// looks for more.
	listed       = 250
	mostProblems = 100
)

func (h HealthRule) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: h.Group, Version: h.Version, Kind: h.Kind}
}

// Judge says of which objects the rules do not hold, sorted by object: of the release's own, and of
// those in its namespace, or without one, that have its name in one of NameLabels. A release that is
// not there may have the latter all the same. Like Health, it looks once.
func (r *Releases) Judge(ctx context.Context, release types.NamespacedName, rules []HealthRule) ([]Problem, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	k := key{release.Namespace, release.Name}
	own, err := r.lastObjects(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	client, err := r.cluster.session(ctx).DynamicClient()
	if err != nil {
		return nil, err
	}
	of := court{lens: lens{r.cluster.mapper, client, k.namespace}, name: k.name, own: own, jury: jury{r.config.Rules, rule.NewBudget()}}
	var problems []Problem
	for _, kind := range kindsOfRules(rules) {
		found, err := of.kind(ctx, kind, rules)
		if err != nil {
			return nil, fmt.Errorf("judging objects of kind %s for release %s: %w", kind.Kind, k, classify(err))
		}
		problems = append(problems, found...)
	}
	sortProblems(problems)
	return problems, nil
}

func kindsOfRules(rules []HealthRule) []schema.GroupVersionKind {
	kinds := map[schema.GroupVersionKind]bool{}
	for _, h := range rules {
		kinds[h.kind()] = true
	}
	return slices.SortedFunc(maps.Keys(kinds), func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Object, b.Object) })
}

// court judges the objects of one release.
type court struct {
	lens
	jury
	name string
	own  []Object
}

// kind judges the objects of a kind.
func (c court) kind(ctx context.Context, kind schema.GroupVersionKind, rules []HealthRule) ([]Problem, error) {
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	namespaced := mapping.Scope.Name() == meta.RESTScopeNameNamespace
	laws := c.laws(kind, rules).within(namespaced)
	var problems []Problem
	seen := map[types.NamespacedName]bool{}
	err = c.objects(ctx, mapping, func(o *unstructured.Unstructured) (more bool) {
		if at := (types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}); !seen[at] {
			seen[at] = true
			problems = append(problems, laws.judge(ctx, o)...)
		}
		return len(problems) < mostProblems
	})
	if apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
		return []Problem{{Object: kind.Kind, Message: fmt.Sprintf("%s cannot be asked: %v", laws[0].Source, err)}}, nil
	}
	return problems, err
}

// objects hands out the objects that belong to the release, some of them twice, until there are no
// more or nobody wants more. Few of them are held at a time.
func (c court) objects(ctx context.Context, mapping *meta.RESTMapping, see func(*unstructured.Unstructured) (more bool)) error {
	kind, all := mapping.GroupVersionKind, c.client.Resource(mapping.Resource)
	for _, o := range c.own {
		if o.GroupKind() != kind.GroupKind() {
			continue
		}
		_, where, err := c.find(Object{kind, o.Namespace, o.Name})
		if err != nil || where == nil {
			return err
		}
		found, err := where.Get(ctx, o.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return err
		case !see(found):
			return nil
		}
	}
	where := dynamic.ResourceInterface(all)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		where = all.Namespace(c.namespace)
	}
	for _, label := range NameLabels() {
		if more, err := pages(ctx, where, labels.SelectorFromSet(labels.Set{label: c.name}), see); err != nil || !more {
			return err
		}
	}
	return nil
}

// pages hands out the objects that a selector chooses.
func pages(ctx context.Context, where dynamic.ResourceInterface, chosen labels.Selector, see func(*unstructured.Unstructured) (more bool)) (more bool, err error) {
	o := metav1.ListOptions{LabelSelector: chosen.String(), Limit: listed}
	for {
		list, err := where.List(ctx, o)
		if apierrors.IsNotFound(err) {
			return true, nil // nobody serves the kind any more
		}
		if err != nil {
			return false, err
		}
		for i := range list.Items {
			if !see(&list.Items[i]) {
				return false, nil
			}
		}
		if o.Continue = list.GetContinue(); o.Continue == "" {
			return true, nil
		}
	}
}

// jury is what asking rules needs.
type jury struct {
	compile *rule.Rules
	budget  *rule.Budget
}

// law is a rule, compiled, or why it is none.
type law struct {
	HealthRule
	rule   rule.Rule
	err    error
	budget *rule.Budget
	// misscoped is what is wrong with its scope; empty for nothing.
	misscoped string
}

// laws are the rules about one kind.
type laws []law

func (j jury) laws(kind schema.GroupVersionKind, rules []HealthRule) laws {
	var out laws
	for _, h := range rules {
		if h.kind() == kind {
			l := law{HealthRule: h, budget: j.budget}
			l.rule, l.err = j.compile.Compile(h.Healthy)
			out = append(out, l)
		}
	}
	return out
}

// within are the laws on a cluster that has the kind in namespaces, or has not.
func (all laws) within(namespaced bool) laws {
	for i, l := range all {
		switch {
		case namespaced && l.ClusterScoped:
			all[i].misscoped = "the cluster has the kind in namespaces: give the rule scope Namespaced"
		case !namespaced && !l.ClusterScoped:
			all[i].misscoped = "the cluster has the kind outside of namespaces: give the rule scope Cluster"
		}
	}
	return all
}

// judge says what is wrong with an object. One that is being deleted is as good as it gets.
func (all laws) judge(ctx context.Context, o *unstructured.Unstructured) []Problem {
	if o.GetDeletionTimestamp() != nil {
		return nil
	}
	var problems []Problem
	for _, l := range all {
		if message := l.judge(ctx, o.Object); message != "" {
			problems = append(problems, Problem{Object: identity(o).String(), Message: message, Misscoped: l.misscoped != ""})
		}
	}
	return problems
}

// Against is what the rule alone has against an object, which is of its kind.
func (h HealthRule) Against(ctx context.Context, compile *rule.Rules, o *unstructured.Unstructured) []Problem {
	return jury{compile, rule.NewBudget()}.laws(h.kind(), []HealthRule{h}).judge(ctx, o)
}

func (l law) judge(ctx context.Context, object map[string]any) (message string) {
	if l.misscoped != "" {
		return fmt.Sprintf("%s cannot be asked: %s", l.Source, l.misscoped)
	}
	holds, err := false, l.err
	if err == nil {
		holds, err = l.budget.Holds(ctx, l.rule, object)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("%s has no answer: %s", l.Source, fleet.Sentence(err))
	case holds:
		return ""
	case strings.TrimSpace(l.Message) == "":
		return l.Source + " does not hold"
	}
	return fmt.Sprintf("%s (%s)", strings.TrimRight(strings.TrimSpace(l.Message), "."), l.Source)
}

// Ills are the problems with objects of one kind.
type Ills struct {
	Kind string
	// Message names the first, and says how many more there are.
	Message string
	// Misscoped says that the first is a rule's, which is wrong about namespaces.
	Misscoped bool
}

// ByKind gathers problems by the kind of their objects, sorted.
func ByKind(problems []Problem) []Ills {
	byKind := map[string][]Problem{}
	for _, p := range problems {
		kind, _, _ := strings.Cut(p.Object, " ")
		byKind[kind] = append(byKind[kind], p)
	}
	var out []Ills
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		out = append(out, Ills{kind, Words(byKind[kind]), byKind[kind][0].Misscoped})
	}
	return out
}

// Both are the problems of two looks at one release, sorted by object.
func Both(a, b []Problem) []Problem {
	out := slices.Concat(a, b)
	sortProblems(out)
	return out
}
