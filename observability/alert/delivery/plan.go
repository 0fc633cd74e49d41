package delivery

import (
	"cmp"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/observability/alert"
)

// managedBy is who k0rdent's generated objects are said to be of.
const managedBy = "app.kubernetes.io/managed-by"

// Settings say where rules are found and evaluated.
type Settings struct {
	// Home is the namespace of rules and receivers: kof.
	Home string
	// Region is the cluster whose recording rules are evaluated beside the alerting rules.
	Region string
	// Defaults are Portico's own rules; none where they are not wanted.
	Defaults []alert.Group
}

// Plan is what is to be done.
type Plan struct {
	// Files are the rules that are evaluated.
	Files []alert.File
	// Outputs are ConfigMaps that have to be written.
	Outputs []Output
	// Receivers is the configuration of Alertmanager; empty means the one that sends to nobody.
	Receivers string
	// Used says how many rules there are, Own which of them are those of one cluster.
	Used            int
	Own             []alert.Own
	Problems, Notes []alert.Problem
}

// Output is a ConfigMap that changes. Was is nil for a new one.
type Output struct{ Was, Now *corev1.ConfigMap }

// Decide says what is to be done.
func Decide(at Settings, saw Observed) Plan {
	rules := alert.Merge(saw.Rules)
	plan := Plan{Receivers: saw.Receivers, Own: rules.Own, Problems: rules.Problems, Notes: rules.Notes}
	for _, g := range append(rules.RecordsFor(at.Region), rules.Alerts...) {
		plan.Used += len(g.Rules)
	}
	plan.Files = rules.AlertFiles()
	if users(saw.Output) {
		files, problems := alert.ReadOutput("ConfigMap "+at.Home+"/"+alert.AlertOutput, saw.Output.Data)
		plan.Files, plan.Problems = files, append(plan.Problems, problems...)
	} else if out := alertOutput(at.Home, saw.Output, rules.AlertData()); out != nil {
		plan.Outputs = append(plan.Outputs, *out)
	}
	plan.Files = append(plan.Files, rules.RecordFiles(at.Region)...)
	for i := range saw.RecordOutputs {
		was := &saw.RecordOutputs[i]
		now := was.DeepCopy()
		now.Data = map[string]string{alert.RecordOutputKey: rules.RecordValues(recordsOf(was, saw.RecordOutputs))}
		if !users(was) && !maps.Equal(was.Data, now.Data) {
			plan.Outputs = append(plan.Outputs, Output{was, now})
		}
	}
	return plan
}

// recordsOf is the region whose own rules an output gets; empty for those of all regions alone. Rules name a
// region without its namespace. Of several outputs of a name the oldest is that region's: anybody who
// may write ConfigMaps somewhere can name it.
func recordsOf(c *corev1.ConfigMap, all []corev1.ConfigMap) string {
	name := c.Labels[alert.RecordOutputLabel]
	for i := range all {
		o := &all[i]
		older := cmp.Or(o.CreationTimestamp.Compare(c.CreationTimestamp.Time), cmp.Compare(o.Namespace, c.Namespace), cmp.Compare(o.Name, c.Name)) < 0
		if older && o.Labels[alert.RecordOutputLabel] == name {
			return ""
		}
	}
	return name
}

// users says whether an output is the user's.
func users(c *corev1.ConfigMap) bool {
	return c != nil && c.Labels[alert.GeneratedLabel] != alert.GeneratedTrue
}

func alertOutput(home string, was *corev1.ConfigMap, data map[string]string) *Output {
	if was == nil {
		return &Output{Now: &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: alert.AlertOutput, Labels: map[string]string{alert.GeneratedLabel: alert.GeneratedTrue, managedBy: "kof-operator"}},
			Data:       data,
		}}
	}
	if maps.Equal(was.Data, data) {
		return nil
	}
	now := was.DeepCopy()
	now.Data = data
	return &Output{was, now}
}
