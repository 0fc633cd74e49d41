package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/explain"
)

// deployment reads a ClusterDeployment.
func (s *session) deployment(ctx context.Context, c *connection, key types.NamespacedName) (*kcm.ClusterDeployment, error) {
	var d kcm.ClusterDeployment
	err := c.kube.Get(ctx, key, &d)
	if apierrors.IsNotFound(err) {
		others, err := c.read.List(ctx, key.Namespace, kcm.ClusterDeploymentKind)
		if err != nil {
			return nil, told("reading ClusterDeployment "+key.String(), err)
		}
		return nil, noSuch(kcm.ClusterDeploymentKind, key.Name, key.Namespace, namesOf(others))
	}
	return &d, told("reading ClusterDeployment "+key.String(), err)
}

// existing connects, and reads the ClusterDeployment of that name.
func (s *session) existing(ctx context.Context, at *scope, name string) (*connection, *kcm.ClusterDeployment, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.deployment(ctx, c, types.NamespacedName{Namespace: at.namespace, Name: name})
	return c, d, err
}

// patch changes one field of a ClusterDeployment and nothing else.
func (c *connection) patch(ctx context.Context, d *kcm.ClusterDeployment, value any, path ...string) error {
	change := map[string]any{}
	if err := unstructured.SetNestedField(change, value, path...); err != nil {
		return err
	}
	err := c.mergePatch(ctx, d, change)
	return told("changing ClusterDeployment "+client.ObjectKeyFromObject(d).String(), err)
}

// workersKey is where the charts of cluster templates have the number of machines.
const workersKey = "workersNumber"

func clusterScaleCommand(s *session) *cobra.Command {
	var (
		workers int64
		key     string
	)
	c := &cobra.Command{
		Use: "scale NAME --workers N", Short: "Change the number of a cluster's machines",
		Example: `  portico cluster scale demo --workers 3
  portico cluster scale demo --workers 3 --key nodePools.big.count`,
		Args: cobra.ExactArgs(1),
	}
	at, wait := s.scopeFlag(c), waitFlags(c, untilReady)
	c.Flags().Int64Var(&workers, "workers", -1, "number of machines")
	c.Flags().StringVar(&key, "key", workersKey, "key of spec.config that holds the number, with dots")
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		if workers < 0 {
			return usageError{errors.New("--workers N is missing: the number of machines, 0 or more")}
		}
		conn, d, err := s.existing(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		if err := conn.knows(c.Context(), d, key); err != nil {
			return err
		}
		path := strings.Split(key, ".")
		if err := conn.patch(c.Context(), d, workers, append([]string{"spec", "config"}, path...)...); err != nil {
			return err
		}
		fmt.Fprintf(s.Streams.Err, "Cluster %s/%s is to have %d machines (spec.config.%s).\n", d.Namespace, d.Name, workers, key)
		return s.waitIf(c.Context(), *wait, conn, d)
	}
	return c
}

// knows checks that the values of a cluster have a key: its own, or its template's defaults. A
// template that cannot be read is no reason to refuse: the chart's schema has the last word.
func (c *connection) knows(ctx context.Context, d *kcm.ClusterDeployment, key string) error {
	path := strings.Split(key, ".")
	if _, own := valueAt(d.Spec.Config, path); own {
		return nil
	}
	var t kcm.ClusterTemplate
	err := c.kube.Get(ctx, types.NamespacedName{Namespace: d.Namespace, Name: d.Spec.Template}, &t)
	if err != nil || t.Status.Config == nil {
		return nil
	}
	if _, known := valueAt(t.Status.Config, path); !known {
		return fmt.Errorf("template %s of cluster %s/%s has no value %q\n  name the one that holds the number of machines: --key PATH (see: kubectl get clustertemplate %s -n %s -o yaml)", d.Spec.Template, d.Namespace, d.Name, key, d.Spec.Template, d.Namespace)
	}
	return nil
}

func valueAt(values *kcm.JSON, path []string) (any, bool) {
	if values == nil {
		return nil, false
	}
	var all map[string]any
	if err := json.Unmarshal(values.Raw, &all); err != nil {
		return nil, false
	}
	v, ok, err := unstructured.NestedFieldNoCopy(all, path...)
	return v, ok && err == nil
}

func clusterUpgradeCommand(s *session) *cobra.Command {
	var template string
	c := &cobra.Command{
		Use: "upgrade NAME [--template TEMPLATE]", Short: "Move a cluster to another template",
		Long: `Move a cluster to another template. Without --template it is the one that the template chains lead to;
if they lead to several, they are listed, and one has to be chosen.`,
		Args: cobra.ExactArgs(1),
	}
	at, wait := s.scopeFlag(c), waitFlags(c, untilReady)
	c.Flags().StringVar(&template, "template", "", "the ClusterTemplate to move to")
	_ = c.RegisterFlagCompletionFunc("template", s.completeTemplates(at, kcm.ClusterTemplateKind))
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		conn, d, err := s.existing(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		to, err := chooseUpgrade(d, template)
		if err != nil {
			return err
		}
		if to == d.Spec.Template {
			fmt.Fprintf(s.Streams.Err, "Cluster %s/%s has template %s already.\n", d.Namespace, d.Name, to)
			return s.waitIf(c.Context(), *wait, conn, d)
		}
		from := d.Spec.Template
		if err := conn.patch(c.Context(), d, to, "spec", "template"); err != nil {
			return err
		}
		fmt.Fprintf(s.Streams.Err, "Cluster %s/%s moves from template %s to %s.\n", d.Namespace, d.Name, from, to)
		return s.waitIf(c.Context(), *wait, conn, d)
	}
	return c
}

// chooseUpgrade is the template to move to: the one that was asked for, else the only one.
func chooseUpgrade(d *kcm.ClusterDeployment, asked string) (string, error) {
	choices := d.Status.AvailableUpgrades
	switch {
	case asked != "":
		return asked, nil
	case len(choices) == 1:
		return choices[0], nil
	case len(choices) == 0:
		return "", fmt.Errorf("no ClusterTemplateChain leads from template %s of cluster %s/%s to another\n  list one in a ClusterTemplateChain, or see what there is: portico template list --kind cluster -n %s", d.Spec.Template, d.Namespace, d.Name, d.Namespace)
	}
	return "", fmt.Errorf("cluster %s/%s can move to several templates\n  choose one with --template: %s", d.Namespace, d.Name, strings.Join(slices.Sorted(slices.Values(choices)), ", "))
}

func clusterDeleteCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "delete NAME", Short: "Delete a cluster with everything on it", Args: cobra.ExactArgs(1)}
	at, wait := s.scopeFlag(c), waitFlags(c, "return when it is gone")
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		conn, d, err := s.existing(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		if err := client.IgnoreNotFound(conn.kube.Delete(c.Context(), d)); err != nil {
			return told("deleting ClusterDeployment "+d.Namespace+"/"+d.Name, err)
		}
		if wait.wait {
			return s.wait(c.Context(), conn, waiting{key: client.ObjectKeyFromObject(d), timeout: wait.timeout, gone: true})
		}
		fmt.Fprintf(s.Streams.Err, "Cluster %s/%s is being deleted. See how far it is: portico cluster wait %s -n %s --for deleted\n", d.Namespace, d.Name, d.Name, d.Namespace)
		return nil
	}
	return c
}

// standing says how a ClusterDeployment stands.
func standing(d *kcm.ClusterDeployment, now time.Time) (explain.ClusterSummary, error) {
	raw, err := toUnstructured(d)
	if err != nil {
		return explain.ClusterSummary{}, err
	}
	return explain.Snapshot{Now: now, Objects: []unstructured.Unstructured{*raw}}.Clusters()[0], nil
}
