package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// pausing is one of the verbs pause and resume.
type pausing struct {
	name, short, long, done string
	// paused is what the annotation becomes; nil takes it off.
	paused any
	// is says whether a set stands like that already.
	is func(paused bool) bool
}

func pausings() []pausing {
	return []pausing{
		{"pause", "Leave the services of a cluster as they are", "Keep every change from the services of a cluster until they are resumed. What runs goes on running.",
			"Its services are left as they are.", "true", func(paused bool) bool { return paused }},
		{"resume", "Go on with the services of a cluster", "End a pause: changes that were wanted meanwhile are made now.",
			"Changes that were wanted meanwhile are made now.", nil, func(paused bool) bool { return !paused }},
	}
}

func servicePauseCommand(s *session, v pausing) *cobra.Command {
	var from string
	c := &cobra.Command{Use: v.name + " CLUSTER", Short: v.short, Long: v.long + "\n\nCLUSTER is a cluster's name, or " + management + " for the management cluster.", Args: cobra.ExactArgs(1)}
	at := s.scopeFlag(c)
	c.Flags().StringVar(&from, "from", "", "only the services of this MultiClusterService (mcs/NAME, nmcs/NAME) or of the cluster itself (cluster)")
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		conn, err := s.connect(c.Context())
		if err != nil {
			return err
		}
		target := pauseTarget{at.namespace, args[0], from}
		if target.name == management {
			target.namespace = kcm.DefaultSystemNamespace
		}
		var found kcm.ServiceSetList
		if err := conn.kube.List(c.Context(), &found, client.InNamespace(target.namespace)); err != nil {
			return told("listing ServiceSets", err)
		}
		sets := slices.DeleteFunc(found.Items, func(set kcm.ServiceSet) bool { return !target.has(set) })
		if len(sets) == 0 {
			return fmt.Errorf("%s has no services%s\n  see what there is: portico service list -n %s", target, ofOrigin(from), target.namespace)
		}
		for i := range sets {
			if err := s.pause(c, conn, &sets[i], v); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// management is how the management cluster is called on the command line, and in plans.
const management = "management"

// pauseTarget is whose services are paused: those on a cluster, and of one origin if that is set.
type pauseTarget struct{ namespace, name, from string }

func (t pauseTarget) has(set kcm.ServiceSet) bool {
	on := set.Spec.Cluster == t.name
	if t.name == management {
		on = set.Spec.Provider.SelfManagement
	}
	return on && (t.from == "" || t.from == originOf(set))
}

// String names the cluster for people.
func (t pauseTarget) String() string {
	if t.name == management {
		return "the management cluster"
	}
	return "cluster " + t.namespace + "/" + t.name
}

func (s *session) pause(c *cobra.Command, conn *connection, set *kcm.ServiceSet, v pausing) error {
	if _, paused := set.Annotations[kcm.ServiceSetPausedAnnotation]; v.is(paused) {
		fmt.Fprintf(s.Streams.Err, "ServiceSet %s/%s: nothing to do.\n", set.Namespace, set.Name)
		return nil
	}
	change := map[string]any{"metadata": map[string]any{"annotations": map[string]any{kcm.ServiceSetPausedAnnotation: v.paused}}}
	if err := conn.mergePatch(c.Context(), set, change); err != nil {
		return told("changing ServiceSet "+client.ObjectKeyFromObject(set).String(), err)
	}
	fmt.Fprintf(s.Streams.Err, "ServiceSet %s/%s (%s): %s\n", set.Namespace, set.Name, originOf(*set), v.done)
	return nil
}

// originOf is whose services a set has, as it is written on the command line.
func originOf(set kcm.ServiceSet) string {
	switch {
	case set.Spec.MultiClusterService != "":
		return "mcs/" + set.Spec.MultiClusterService
	case set.Spec.NamespacedMultiClusterService != "":
		return "nmcs/" + set.Spec.NamespacedMultiClusterService
	}
	return "cluster"
}

func ofOrigin(from string) string {
	if from == "" {
		return ""
	}
	return " from " + cmp.Or(from, "anybody")
}
