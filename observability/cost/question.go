package cost

import (
	"fmt"
	"slices"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
)

// Terms are what answers depend on beside facts and questions: prices, and what is shared where a
// question does not say so.
type Terms struct {
	Book   price.Book
	Shares Shares
	// Idle is IdleShared where those who took of a resource bear its idle cost.
	Idle IdleMode
	// Notes say for a person which prices do not count.
	Notes []string
}

// Question is what somebody wants to know of facts.
type Question struct {
	Window window.Window
	// By are the properties by which the answer is grouped; none leaves each pod by itself.
	By []Property
	// Idle says what becomes of idle cost.
	Idle IdleMode
	// IdleByNode keeps idle cost at its node instead of its cluster, also when it is shared.
	IdleByNode bool
	Shares     Shares
	// Filter leaves out what it does not return true for; nil keeps all. It sees the properties
	// before they are grouped.
	Filter func(*Properties) bool
}

// IdleMode is what becomes of idle cost.
type IdleMode int

// The modes. The zero value is IdleSeparate.
const (
	// IdleSeparate gives idle cost as an allocation of its own.
	IdleSeparate IdleMode = iota
	// IdleShared adds it to what took the resource, in proportion to what that cost.
	IdleShared
	// IdleHidden leaves it out; Answer.Hidden says how much it is.
	IdleHidden
)

// Shares say whose costs the others bear.
type Shares struct {
	// Namespaces and Labels name what is shared. A label is a name and a value. It is shared
	// among those of the same cluster.
	Namespaces []string
	Labels     [][2]string
	// Fixed amounts are shared among all that the question is about.
	Fixed []Fixed
	// Management shares the control planes, each within its cluster.
	Management bool
	// Even shares in equal parts among the groups; otherwise in proportion to their cost.
	Even bool
}

// Fixed is an amount for each month of 730 hours.
type Fixed struct {
	Name    string
	Monthly money.Amount
}

// Property is what an answer is grouped by.
type Property struct {
	kind  string
	label string
}

// The properties. Workload is the controller within its namespace.
var (
	ByCluster    = Property{kind: "cluster"}
	ByNode       = Property{kind: "node"}
	ByNamespace  = Property{kind: "namespace"}
	ByController = Property{kind: "controller"}
	ByKind       = Property{kind: "controllerKind"}
	ByWorkload   = Property{kind: "workload"}
	ByPod        = Property{kind: "pod"}
	ByService    = Property{kind: "service"}
	ByTenant     = Property{kind: "tenant"}
)

// ByLabel is the property of a pod's label.
func ByLabel(name string) Property { return Property{kind: "label", label: name} }

// String is the property as it is written in a question.
func (p Property) String() string {
	if p.kind == "label" {
		return "label:" + p.label
	}
	return p.kind
}

// kinds are properties that name controllers of one kind.
var kinds = []string{"deployment", "statefulset", "daemonset", "job", "cronjob", "replicaset"}

// ParseProperty reads a property as OpenCost writes it, and tenant and workload. The error is of
// kind fleet.ErrInvalid.
func ParseProperty(text string) (Property, error) {
	trimmed := strings.TrimSpace(text)
	for _, p := range []Property{ByCluster, ByNode, ByNamespace, ByController, ByKind, ByWorkload, ByPod, ByService, ByTenant} {
		if strings.EqualFold(trimmed, p.kind) {
			return p, nil
		}
	}
	if kind := strings.ToLower(trimmed); slices.Contains(kinds, kind) {
		return Property{kind: kind}, nil
	}
	if name, ok := strings.CutPrefix(trimmed, "label:"); ok && name != "" {
		return ByLabel(name), nil
	}
	return Property{}, fmt.Errorf("%w: aggregate: %q: expected cluster, node, namespace, controllerKind, controller, workload, pod, service, tenant, label:<name>, or one of %s",
		fleet.ErrInvalid, text, strings.Join(kinds, ", "))
}

// of is the property's value of an allocation; empty where it has none.
func (p Property) of(a *Allocation) string {
	switch p.kind {
	case "cluster":
		return a.Cluster
	case "node":
		return a.Node
	case "namespace":
		return a.Namespace
	case "controller":
		return controller(a)
	case "controllerKind":
		return strings.ToLower(a.Kind)
	case "workload":
		if a.Controller == "" {
			return ""
		}
		return a.Namespace + "/" + controller(a)
	case "pod":
		return a.Pod
	case "service":
		if len(a.Services) > 0 {
			return a.Services[0]
		}
		return ""
	case "tenant":
		return string(a.Tenant)
	case "label":
		return label(a.Labels, p.label)
	}
	if strings.EqualFold(a.Kind, p.kind) {
		return a.Controller
	}
	return ""
}

func controller(a *Allocation) string {
	if a.Controller == "" || a.Kind == "" {
		return a.Controller
	}
	return strings.ToLower(a.Kind) + ":" + a.Controller
}

// label finds a label under its own name, or under the one that it has in Prometheus, which
// OpenCost's clients write.
func label(labels map[string]string, name string) string {
	if v, ok := labels[name]; ok {
		return v
	}
	return labels[LabelName(name)]
}

// LabelName is a label's name as metrics carry it.
func LabelName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// name is that of the group that an allocation belongs to.
func (q Question) name(a *Allocation) string {
	var parts []string
	if len(q.By) == 0 {
		return strings.Join(append(parts, whole(a)...), "/")
	}
	for _, p := range q.By {
		value := p.of(a)
		if value == "" {
			if a.special != "" {
				continue
			}
			value = Unallocated
		}
		parts = append(parts, value)
	}
	if a.special != "" {
		parts = append(parts, a.special)
	}
	return strings.Join(parts, "/")
}

// whole are the parts of the name of what is not grouped.
func whole(a *Allocation) []string {
	var parts []string
	for _, part := range []string{a.Cluster, a.Node, a.Namespace, a.Pod, a.special} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if a.Pod == "" && a.special == "" {
		parts = append(parts, a.Services...)
	}
	return parts
}
