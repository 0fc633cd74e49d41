package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/explain"
)

func clusterCommand(s *session) *cobra.Command {
	c := s.fleetFlags(&cobra.Command{
		Use: "cluster", Short: "Make, look at, change and delete clusters", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	})
	c.AddCommand(clusterListCommand(s), clusterGetCommand(s), clusterTreeCommand(s), clusterCreateCommand(s),
		clusterScaleCommand(s), clusterUpgradeCommand(s), clusterDeleteCommand(s), clusterWaitCommand(s))
	return c
}

func clusterListCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List clusters", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions}
	at, out := s.scopeFlags(c), outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		saw, err := s.list(c.Context(), at.in(), kcm.ClusterDeploymentKind, "Machine")
		if err != nil {
			return err
		}
		all := saw.Clusters()
		if len(all) == 0 {
			fmt.Fprintf(s.Streams.Err, "There is no cluster in %s. Make one: portico cluster create NAME --template TEMPLATE\n", at)
		}
		return out.print(s.Streams.Out, showClusters(all, at.all, saw.Now))
	}
	return c
}

// String names the place for people.
func (s *scope) String() string {
	if s.all {
		return "any namespace"
	}
	return "namespace " + s.namespace
}

func showClusters(all []explain.ClusterSummary, namespaces bool, now time.Time) shown {
	table := shown{value: all, names: []string{}, columns: []string{"NAME", "READY", "TEMPLATE", "VERSION", "SERVICES", "MACHINES", "AGE", "MESSAGE"}}
	for _, c := range all {
		table.names = append(table.names, c.Name)
		table.rows = append(table.rows, []string{
			c.Name, c.Ready, c.Template, cmp.Or(c.KubernetesVersion, "-"), fraction(&c.Services), fraction(c.Machines), age(now, c.Created), brief(c.Message),
		})
	}
	if namespaces {
		table.columns = slices.Insert(table.columns, 0, "NAMESPACE")
		for i := range table.rows {
			table.rows[i] = slices.Insert(table.rows[i], 0, all[i].Namespace)
		}
	}
	return table
}

func clusterGetCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "get NAME", Short: "Show one cluster", Args: cobra.ExactArgs(1)}
	at, out := s.scopeFlag(c), outputFlag(c)
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		saw, err := s.list(c.Context(), at.namespace, kcm.ClusterDeploymentKind, "Machine", kcm.ServiceSetKind)
		if err != nil {
			return err
		}
		all := saw.Clusters()
		i := slices.IndexFunc(all, func(c explain.ClusterSummary) bool { return c.Name == args[0] })
		if i < 0 {
			var others []string
			for _, c := range all {
				others = append(others, c.Name)
			}
			return noSuch("ClusterDeployment", args[0], at.namespace, others)
		}
		detail := clusterDetail{ClusterSummary: all[i], ServiceStates: []explain.ServiceSummary{}}
		for _, svc := range saw.Services() {
			if svc.Cluster == args[0] {
				detail.ServiceStates = append(detail.ServiceStates, svc)
			}
		}
		return out.print(s.Streams.Out, showCluster(detail, saw.Now))
	}
	return c
}

// clusterDetail is one cluster with its services.
type clusterDetail struct {
	explain.ClusterSummary
	ServiceStates []explain.ServiceSummary `json:"serviceStates"`
}

func showCluster(c clusterDetail, now time.Time) shown {
	machines := ""
	if c.Machines != nil {
		machines = fraction(c.Machines) + " ready"
	}
	rows := [][]string{
		{"Name", c.Name}, {"Namespace", c.Namespace}, {"Ready", c.Ready + since(now, c.Since)}, {"Message", c.Message},
		{"Template", c.Template}, {"Credential", c.Credential}, {"Kubernetes", c.KubernetesVersion}, {"Machines", machines},
		{"Upgrades", strings.Join(c.AvailableUpgrades, ", ")}, {"Age", age(now, c.Created)}, {"Services", fraction(&c.Services) + " deployed"},
	}
	for _, svc := range c.ServiceStates {
		words := []string{svc.State + since(now, svc.Since), svc.Template}
		if svc.Message != "" {
			words = append(words, svc.Message)
		}
		rows = append(rows, []string{"  " + svc.Namespace + "/" + svc.Name, strings.Join(words, ", ")})
	}
	table := shown{value: c, names: []string{c.Name}, columns: []string{"FIELD", "VALUE"}}
	table.facts(rows...)
	return table
}

func clusterTreeCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "tree NAME", Short: "Show a cluster with everything that it is made of, down to the pods of its services",
		Long: `Show the whole chain from the ClusterDeployment to the pods of its services, and how each object stands:
ok, working (on its way), or broken. A child cluster that does not answer is one line of it.`,
		Args: cobra.ExactArgs(1),
	}
	at, out := s.scopeFlag(c), outputFlag(c)
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		root, now, err := s.tree(c.Context(), explain.Ref{Kind: kcm.ClusterDeploymentKind, Namespace: at.namespace, Name: args[0]})
		if err != nil {
			return err
		}
		return out.print(s.Streams.Out, showTree(root, now))
	}
	return c
}

// tree reads an object with everything below it.
func (s *session) tree(ctx context.Context, of explain.Ref) (*explain.Node, time.Time, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	saw, err := c.read.Read(ctx, of)
	if err != nil {
		return nil, time.Time{}, told("reading "+of.String(), err)
	}
	if root := saw.Tree(of); root != nil {
		return root, saw.Now, nil
	}
	others, err := c.read.List(ctx, of.Namespace, of.Kind)
	if err != nil {
		return nil, time.Time{}, told("reading "+of.String(), err)
	}
	return nil, time.Time{}, noSuch(of.Kind, of.Name, of.Namespace, namesOf(others))
}

// showTree draws a tree in the first column.
func showTree(root *explain.Node, now time.Time) shown {
	table := shown{value: root, names: []string{}, columns: []string{"OBJECT", "STATE", "SINCE", "DETAIL"}}
	children := func(n *explain.Node) []*explain.Node { return n.Children }
	drawTree(root, children, func(n *explain.Node, before string) {
		detail := n.Detail
		if n.Message != "" {
			detail = n.Message
		}
		ref := n.Ref
		if n != root {
			ref.Cluster = "" // the tree shows where it is
			if ref.Namespace == root.Namespace {
				ref.Namespace = ""
			}
		}
		table.names = append(table.names, n.Ref.String())
		table.rows = append(table.rows, []string{before + ref.String(), string(n.Mark), age(now, n.Since), detail})
	})
	return table
}

// drawTree calls row for each node of a tree, with the lines to draw before it.
func drawTree[N any](root N, children func(N) []N, row func(n N, before string)) {
	var draw func(n N, before, below string)
	draw = func(n N, before, below string) {
		row(n, before)
		all := children(n)
		for i, child := range all {
			if i < len(all)-1 {
				draw(child, below+"├─ ", below+"│  ")
			} else {
				draw(child, below+"└─ ", below+"   ")
			}
		}
	}
	draw(root, "", "")
}

// noSuch says that an object does not exist, and which do.
func noSuch(kind, name, namespace string, others []string) error {
	place := ""
	if namespace != "" {
		place = " in namespace " + namespace
	}
	if len(others) == 0 {
		return fmt.Errorf("%s %q does not exist, and there is no other%s\n  look elsewhere: -n NAMESPACE", kind, name, place)
	}
	slices.Sort(others)
	return fmt.Errorf("%s %q does not exist%s\n  there are: %s", kind, name, place, strings.Join(slices.Compact(others), ", "))
}

func fraction(c *explain.Count) string {
	if c == nil {
		return "-"
	}
	return strconv.Itoa(c.Ready) + "/" + strconv.Itoa(c.Total)
}

func since(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + age(now, t)
}

// brief cuts a message for a table; get and why show all of it.
func brief(message string) string {
	const most = 100
	if r := []rune(message); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return message
}
