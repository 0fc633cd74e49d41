package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/service"
)

// serviceNode is a service, or what wants services, in the tree of a cluster's services.
type serviceNode struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	Since    time.Time `json:"since,omitzero"`
	Template string    `json:"template,omitempty"`
	Version  string    `json:"version,omitempty"`
	// After are the services that it depends on.
	After []string `json:"after,omitempty"`
	// Held says why a change that is wanted may not be made yet.
	Held     string         `json:"held,omitempty"`
	Message  string         `json:"message,omitempty"`
	Children []*serviceNode `json:"children,omitempty"`
}

func serviceTreeCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "tree CLUSTER", Short: "Show the services of a cluster in the order of their dependencies",
		Long: `Show whose services a cluster has, and below each service those that wait for it. A service that waits for
several stands below the last of them; AFTER names all.`,
		Args: cobra.ExactArgs(1),
	}
	at, out := s.scopeFlag(c), outputFlag(c)
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		conn, _, err := s.existing(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		var found kcm.ServiceSetList
		if err := conn.kube.List(c.Context(), &found, client.InNamespace(at.namespace)); err != nil {
			return told("listing ServiceSets", err)
		}
		var roots []*serviceNode
		for _, set := range found.Items {
			if set.Spec.Cluster != args[0] {
				continue
			}
			root, err := servicesOf(&set)
			if err != nil {
				return err
			}
			roots = append(roots, root)
		}
		if len(roots) == 0 {
			fmt.Fprintf(s.Streams.Err, "Cluster %s/%s has no services.\n", at.namespace, args[0])
		}
		slices.SortFunc(roots, func(a, b *serviceNode) int { return cmp.Compare(a.Name, b.Name) })
		return out.print(s.Streams.Out, showServiceTree(roots, s.Now()))
	}
	return c
}

// servicesOf is the tree of one ServiceSet. It is pure.
func servicesOf(set *kcm.ServiceSet) (*serviceNode, error) {
	notes, err := service.NotesOf(set)
	if err != nil {
		return nil, err
	}
	root := &serviceNode{Name: originOf(*set), State: "Pending"}
	if set.Status.Deployed {
		root.State = "Deployed"
	}
	if _, paused := set.Annotations[kcm.ServiceSetPausedAnnotation]; paused {
		root.Message = "paused"
	}
	nodes := map[string]*serviceNode{}
	for _, st := range set.Status.Services {
		nodes[st.Namespace+"/"+st.Name] = nodeOf(st)
	}
	for _, svc := range set.Spec.Services {
		if name := svc.Namespace + "/" + svc.Name; nodes[name] == nil {
			nodes[name] = &serviceNode{Name: name, State: "Pending", Template: svc.Template, Message: "the engine has not looked at it yet"}
		}
	}
	for _, h := range notes.Held {
		name := h.Namespace + "/" + h.Name
		if nodes[name] == nil {
			nodes[name] = &serviceNode{Name: name, State: "Pending", Template: h.Template}
		}
		nodes[name].Held = h.Message
	}
	hang(root, nodes, notes.DependsOn)
	return root, nil
}

func nodeOf(st kcm.ServiceState) *serviceNode {
	n := &serviceNode{Name: st.Namespace + "/" + st.Name, State: string(st.State), Since: timeOf(st.LastStateTransitionTime), Template: st.Template, Version: st.Version, Message: st.FailureMessage}
	if c := control.Find(st.Conditions, statev1.HeldCondition); c != nil && c.Status == "True" {
		n.Held = c.Message
	}
	return n
}

// hang puts each service below the dependency that comes last, or below the root.
func hang(root *serviceNode, nodes map[string]*serviceNode, needs map[string][]string) {
	depths := map[string]int{}
	var depth func(name string, above int) int
	depth = func(name string, above int) int {
		if d, known := depths[name]; known || above > len(nodes) {
			return d
		}
		deepest := 0
		for _, need := range needs[name] {
			deepest = max(deepest, depth(need, above+1)+1)
		}
		depths[name] = deepest
		return deepest
	}
	names := make([]string, 0, len(nodes))
	for name := range nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n, parent, last := nodes[name], root, -1
		n.After = needs[name]
		for _, need := range needs[name] {
			if d := depth(need, 0); nodes[need] != nil && d > last && d < depth(name, 0) {
				parent, last = nodes[need], d
			}
		}
		parent.Children = append(parent.Children, n)
	}
}

func showServiceTree(roots []*serviceNode, now time.Time) shown {
	table := shown{value: roots, names: []string{}, columns: []string{"SERVICE", "STATE", "SINCE", "TEMPLATE", "VERSION", "AFTER", "MESSAGE"}}
	children := func(n *serviceNode) []*serviceNode { return n.Children }
	for _, root := range roots {
		drawTree(root, children, func(n *serviceNode, before string) {
			table.names = append(table.names, n.Name)
			table.rows = append(table.rows, []string{
				before + n.Name, n.State, age(now, n.Since), cmp.Or(n.Template, "-"), cmp.Or(n.Version, "-"), cmp.Or(strings.Join(n.After, ","), "-"), brief(cmp.Or(n.Held, n.Message)),
			})
		})
	}
	return table
}
