package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/explain"
)

func serviceCommand(s *session) *cobra.Command {
	c := s.fleetFlags(&cobra.Command{
		Use: "service", Short: "Look at what runs on clusters", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	})
	c.AddCommand(serviceListCommand(s), serviceGetCommand(s), serviceTreeCommand(s), serviceHistoryCommand(s), serviceDiffCommand(s), serviceRollbackCommand(s))
	for _, v := range pausings() {
		c.AddCommand(servicePauseCommand(s, v))
	}
	return c
}

func serviceListCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the services on all clusters", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions}
	at, cluster, out := s.scopeFlags(c), "", outputFlag(c)
	s.clusterFlag(c, at, &cluster)
	c.RunE = func(c *cobra.Command, _ []string) error {
		saw, err := s.list(c.Context(), at.in(), kcm.ServiceSetKind, kcm.ClusterDeploymentKind)
		if err != nil {
			return err
		}
		all := slices.DeleteFunc(saw.Services(), func(v explain.ServiceSummary) bool { return cluster != "" && v.Cluster != cluster })
		if len(all) == 0 {
			fmt.Fprintf(s.Streams.Err, "There is no service on a cluster of %s.\n", at)
		}
		return out.print(s.Streams.Out, showServices(all, at.all, saw.Now))
	}
	return c
}

func (s *session) clusterFlag(c *cobra.Command, at *scope, cluster *string) {
	c.Flags().StringVar(cluster, "cluster", "", "only those on this cluster")
	_ = c.RegisterFlagCompletionFunc("cluster", s.completeClusters(at))
}

func showServices(all []explain.ServiceSummary, namespaces bool, now time.Time) shown {
	table := shown{value: all, names: []string{}, columns: []string{"NAME", "CLUSTER", "STATE", "SINCE", "TEMPLATE", "VERSION", "MESSAGE"}}
	for _, v := range all {
		cluster := v.Cluster
		if namespaces {
			cluster = v.ClusterNamespace + "/" + cluster
		}
		name := v.Namespace + "/" + v.Name
		table.names = append(table.names, name)
		table.rows = append(table.rows, []string{name, cluster, v.State, age(now, v.Since), v.Template, cmp.Or(v.Version, "-"), brief(v.Message)})
	}
	return table
}

func serviceGetCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "get [NAMESPACE/]NAME", Short: "Show a service on each cluster that has it", Args: cobra.ExactArgs(1)}
	at, cluster, out := s.scopeFlags(c), "", outputFlag(c)
	s.clusterFlag(c, at, &cluster)
	c.ValidArgsFunction = first(s.complete(at, serviceNames, kcm.ServiceSetKind, kcm.ClusterDeploymentKind))
	c.RunE = func(c *cobra.Command, args []string) error {
		saw, err := s.list(c.Context(), at.in(), kcm.ServiceSetKind, kcm.ClusterDeploymentKind)
		if err != nil {
			return err
		}
		all := slices.DeleteFunc(saw.Services(), func(v explain.ServiceSummary) bool {
			return cluster != "" && v.Cluster != cluster || v.Name != args[0] && v.Namespace+"/"+v.Name != args[0]
		})
		if len(all) == 0 {
			return noSuch("service", args[0], at.in(), serviceNames(saw))
		}
		return out.print(s.Streams.Out, showServiceDetails(all, saw.Now))
	}
	return c
}

func serviceNames(saw explain.Snapshot) []string {
	var names []string
	for _, v := range saw.Services() {
		names = append(names, v.Namespace+"/"+v.Name)
	}
	return names
}

func showServiceDetails(all []explain.ServiceSummary, now time.Time) shown {
	table := shown{value: all, names: []string{}, columns: []string{"FIELD", "VALUE"}}
	for _, v := range all {
		table.names = append(table.names, v.Namespace+"/"+v.Name)
		from := "ClusterDeployment " + v.Cluster
		if v.From != "" {
			from = "MultiClusterService " + v.From
		}
		table.facts([][]string{
			{"Name", v.Name}, {"Namespace", v.Namespace}, {"Cluster", v.ClusterNamespace + "/" + v.Cluster}, {"State", v.State + since(now, v.Since)},
			{"Message", v.Message}, {"Template", v.Template}, {"Version", v.Version}, {"From", from},
		}...)
	}
	return table
}

func templateCommand(s *session) *cobra.Command {
	c := s.fleetFlags(&cobra.Command{
		Use: "template", Short: "Look at what clusters, services and providers are made from", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	})
	c.AddCommand(templateListCommand(s), templateGetCommand(s))
	return c
}

// templateKinds are the API's words for the kinds that a user means; none means all.
func templateKinds(word string) ([]string, error) {
	all := explain.TemplateKinds()
	if word == "" {
		return []string{all["cluster"], all["service"], all["provider"]}, nil
	}
	if kind := all[word]; kind != "" {
		return []string{kind}, nil
	}
	return nil, usageError{fmt.Errorf("--kind is %q, expected cluster, service or provider", word)}
}

func kindFlag(c *cobra.Command, kind *string) {
	c.Flags().StringVar(kind, "kind", "", "only those of this kind: cluster, service or provider")
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"cluster", "service", "provider"}, cobra.ShellCompDirectiveNoFileComp))
}

func templateListCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List templates", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions}
	at, kind, out := s.scopeFlags(c), "", outputFlag(c)
	kindFlag(c, &kind)
	c.RunE = func(c *cobra.Command, _ []string) error {
		kinds, err := templateKinds(kind)
		if err != nil {
			return err
		}
		saw, err := s.list(c.Context(), at.in(), kinds...)
		if err != nil {
			return err
		}
		return out.print(s.Streams.Out, showTemplates(saw.Templates(), at.all))
	}
	return c
}

func showTemplates(all []explain.TemplateSummary, namespaces bool) shown {
	table := shown{value: all, names: []string{}, columns: []string{"NAME", "KIND", "VALID", "VERSION", "KUBERNETES", "PROVIDERS", "MESSAGE", "DESCRIPTION"}}
	for _, t := range all {
		name := t.Name
		if namespaces && t.Namespace != "" {
			name = t.Namespace + "/" + name
		}
		table.names = append(table.names, t.Name)
		table.rows = append(table.rows, []string{
			name, t.Kind, fmt.Sprint(t.Valid), cmp.Or(t.Version, "-"), cmp.Or(t.KubernetesVersion, "-"), cmp.Or(strings.Join(t.Providers, ","), "-"), brief(t.Message), brief(t.Description),
		})
	}
	return table
}

func templateGetCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "get NAME", Short: "Show a template", Args: cobra.ExactArgs(1)}
	at, kind, out := s.scopeFlag(c), "", outputFlag(c)
	kindFlag(c, &kind)
	every, _ := templateKinds("")
	c.ValidArgsFunction = first(s.complete(at, namesOf, every...))
	c.RunE = func(c *cobra.Command, args []string) error {
		kinds, err := templateKinds(kind)
		if err != nil {
			return err
		}
		saw, err := s.list(c.Context(), at.namespace, kinds...)
		if err != nil {
			return err
		}
		found := slices.DeleteFunc(saw.Templates(), func(t explain.TemplateSummary) bool { return t.Name != args[0] })
		if len(found) == 0 {
			return noSuch("template", args[0], at.namespace, namesOf(saw))
		}
		return out.print(s.Streams.Out, showTemplateDetails(found))
	}
	return c
}

func showTemplateDetails(found []explain.TemplateSummary) shown {
	table := shown{value: found, names: []string{}, columns: []string{"FIELD", "VALUE"}}
	for _, t := range found {
		table.names = append(table.names, t.Name)
		table.facts([][]string{
			{"Name", t.Name}, {"Namespace", t.Namespace}, {"Kind", t.Kind}, {"Valid", fmt.Sprint(t.Valid)}, {"Message", t.Message}, {"Version", t.Version},
			{"Kubernetes", t.KubernetesVersion}, {"Providers", strings.Join(t.Providers, ", ")}, {"Description", t.Description},
		}...)
	}
	return table
}
