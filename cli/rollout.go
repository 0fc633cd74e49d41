package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

func rolloutCommand(s *session) *cobra.Command {
	c := s.fleetFlags(&cobra.Command{
		Use: "rollout", Short: "Follow and steer how changes reach clusters in waves", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	})
	c.AddCommand(rolloutListCommand(s), rolloutGetCommand(s))
	for _, v := range rolloutVerbs() {
		c.AddCommand(rolloutSteerCommand(s, v))
	}
	return c
}

func rolloutListCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List rollouts", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions}
	at, out := s.scopeFlags(c), outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		conn, err := s.connect(c.Context())
		if err != nil {
			return err
		}
		all, err := conn.rollouts(c.Context(), at.in())
		if err != nil {
			return err
		}
		if len(all) == 0 {
			fmt.Fprintf(s.Streams.Err, "There is no rollout in %s.\n", at)
		}
		return out.print(s.Streams.Out, showRollouts(all, at.all, s.Now()))
	}
	return c
}

func (c *connection) rollouts(ctx context.Context, namespace string) ([]statev1.Rollout, error) {
	var found statev1.RolloutList
	if err := c.kube.List(ctx, &found, client.InNamespace(namespace)); err != nil {
		return nil, told("listing Rollouts", err)
	}
	slices.SortFunc(found.Items, func(a, b statev1.Rollout) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return found.Items, nil
}

func showRollouts(all []statev1.Rollout, namespaces bool, now time.Time) shown {
	table := shown{value: all, names: []string{}, columns: []string{"NAME", "SUBJECT", "PHASE", "WAVE", "CLUSTERS", "FAILED", "REVISION", "STARTED", "MESSAGE"}}
	for _, r := range all {
		name := r.Name
		if namespaces {
			name = r.Namespace + "/" + name
		}
		sum, wave := progress(r.Status)
		table.names = append(table.names, r.Name)
		table.rows = append(table.rows, []string{
			name, subjectOf(r.Spec.Subject), cmp.Or(string(r.Status.Phase), "-"), wave, fmt.Sprintf("%d/%d", sum.Deployed, sum.Clusters), fmt.Sprint(sum.Failed),
			cmp.Or(r.Status.Revision, "-"), age(now, timeOf(r.Status.Started)), brief(readyMessage(r.Status.Conditions)),
		})
	}
	return table
}

// progress adds up the waves, and names the first that is not done.
func progress(status statev1.RolloutStatus) (sum statev1.WaveStatus, wave string) {
	wave = "-"
	for _, w := range status.Waves {
		sum.Clusters += w.Clusters
		sum.Admitted += w.Admitted
		sum.Deployed += w.Deployed
		sum.Failed += w.Failed
		if wave == "-" && w.Deployed < w.Clusters {
			wave = waveName(w.Name)
		}
	}
	return sum, wave
}

// waveName is a wave for people: the last one has no name.
func waveName(name string) string { return cmp.Or(name, "(all others)") }

func subjectOf(s statev1.RolloutSubject) string {
	switch {
	case s.Name != "":
		return string(s.Kind) + " " + s.Name
	case s.Selector != nil:
		return string(s.Kind) + "s " + metav1.FormatLabelSelector(s.Selector)
	}
	return string(s.Kind) + "s"
}

func readyMessage(conditions []metav1.Condition) string {
	if c := control.Find(conditions, kcm.ReadyCondition); c != nil {
		return c.Message
	}
	return ""
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

func rolloutGetCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "get NAME", Short: "Show how far a rollout is, wave by wave", Args: cobra.ExactArgs(1)}
	at, out := s.scopeFlag(c), outputFlag(c)
	c.ValidArgsFunction = first(s.completeRollouts(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		_, r, err := s.rollout(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		return out.print(s.Streams.Out, showRollout(r, s.Now()))
	}
	return c
}

func (s *session) completeRollouts(at *scope) completion {
	return s.complete(at, namesOf, statev1.RolloutKind)
}

// rollout connects, and reads the Rollout of that name.
func (s *session) rollout(ctx context.Context, at *scope, name string) (*connection, *statev1.Rollout, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	key := types.NamespacedName{Namespace: at.namespace, Name: name}
	var r statev1.Rollout
	err = c.kube.Get(ctx, key, &r)
	if !apierrors.IsNotFound(err) {
		return c, &r, told("reading Rollout "+key.String(), err)
	}
	others, err := c.rollouts(ctx, at.namespace)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, o := range others {
		names = append(names, o.Name)
	}
	return nil, nil, noSuch(statev1.RolloutKind, name, at.namespace, names)
}

func showRollout(r *statev1.Rollout, now time.Time) shown {
	table := shown{value: r, names: []string{r.Name}, columns: []string{"FIELD", "VALUE"}}
	table.facts([][]string{
		{"Name", r.Name}, {"Namespace", r.Namespace}, {"Subject", subjectOf(r.Spec.Subject)}, {"Phase", string(r.Status.Phase)},
		{"Message", readyMessage(r.Status.Conditions)}, {"Revision", r.Status.Revision}, {"Stable", r.Status.Stable}, {"Started", agoOf(now, r.Status.Started)},
	}...)
	for _, w := range r.Status.Waves {
		table.rows = append(table.rows, []string{"  " + waveName(w.Name), waveLine(w, now)})
	}
	for _, h := range r.Status.History {
		table.rows = append(table.rows, []string{"Before", fmt.Sprintf("%s %s, %d clusters, ended %s", h.Revision, h.Phase, h.Clusters, agoOf(now, h.Ended))})
	}
	return table
}

func waveLine(w statev1.WaveStatus, now time.Time) string {
	line := fmt.Sprintf("%d of %d clusters deployed, %d may change", w.Deployed, w.Clusters, w.Admitted)
	if w.Failed > 0 {
		line += fmt.Sprintf(", %d failed", w.Failed)
	}
	if w.DeployedAt != nil {
		line += ", all since " + age(now, w.DeployedAt.Time)
	}
	return line
}

func agoOf(now time.Time, t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return age(now, t.Time) + " ago"
}

// rolloutVerb is a way to steer a rollout: it changes the wish, and the controller obeys.
type rolloutVerb struct {
	name, short, done string
	// change is the patch of the spec; an error says why there is nothing to do.
	change func(r *statev1.Rollout) (map[string]any, error)
}

func rolloutVerbs() []rolloutVerb {
	return []rolloutVerb{
		{"pause", "Keep further clusters from the change", "takes no further clusters; those that have the change keep it", pauseRollout},
		{"resume", "Go on, also after a pause, a stop or an abort", "goes on", resumeRollout},
		{"abort", "Take the change back from the clusters that have it", "is taken back: its clusters return to the revision before", abortRollout},
	}
}

func pauseRollout(r *statev1.Rollout) (map[string]any, error) {
	if r.Spec.Paused {
		return nil, errors.New("it is paused already")
	}
	return map[string]any{"paused": true}, nil
}

func resumeRollout(r *statev1.Rollout) (map[string]any, error) {
	change := map[string]any{}
	if r.Spec.Paused {
		change["paused"] = false
	}
	if r.Spec.Abort != "" && r.Spec.Abort == r.Status.Revision {
		change["abort"] = nil
	}
	if r.Status.Phase == statev1.RolloutStopped {
		change["retry"] = r.Status.Revision
	}
	if len(change) == 0 {
		return nil, errors.New("it is not paused, stopped or aborted")
	}
	return change, nil
}

func abortRollout(r *statev1.Rollout) (map[string]any, error) {
	switch {
	case r.Status.Revision == "":
		return nil, errors.New("nothing is being rolled out")
	case r.Status.Phase == statev1.RolloutComplete:
		return nil, fmt.Errorf("revision %s is rolled out completely\n  go back to another one: portico service rollback", r.Status.Revision)
	case r.Spec.Abort == r.Status.Revision:
		return nil, errors.New("it is aborted already")
	}
	return map[string]any{"abort": r.Status.Revision}, nil
}

func rolloutSteerCommand(s *session, v rolloutVerb) *cobra.Command {
	c := &cobra.Command{Use: v.name + " NAME", Short: v.short, Args: cobra.ExactArgs(1)}
	at := s.scopeFlag(c)
	c.ValidArgsFunction = first(s.completeRollouts(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		conn, r, err := s.rollout(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		change, err := v.change(r)
		if err != nil {
			return fmt.Errorf("rollout %s/%s: %w", r.Namespace, r.Name, err)
		}
		if err := conn.mergePatch(c.Context(), r, map[string]any{"spec": change}); err != nil {
			return told("changing Rollout "+client.ObjectKeyFromObject(r).String(), err)
		}
		fmt.Fprintf(s.Streams.Err, "Rollout %s/%s %s. See how far it is: portico rollout get %s -n %s\n", r.Namespace, r.Name, v.done, r.Name, r.Namespace)
		return nil
	}
	return c
}

// mergePatch changes some fields of an object and nothing else.
func (c *connection) mergePatch(ctx context.Context, o client.Object, change map[string]any) error {
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return c.kube.Patch(ctx, o, client.RawPatch(types.MergePatchType, text), client.FieldOwner("portico-cli"))
}
