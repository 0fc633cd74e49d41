package serviceset

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/memory"
	"portico.dev/portico/state/service"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// story is what goes into a scenario.
type story struct {
	set   kcm.ServiceSet
	owner *kcm.ClusterDeployment
	saw   Observed
	// engine is what it answers.
	engine struct {
		Report engine.Report
		// Problem is why it cannot reach the cluster, NoAddress for want of a kubeconfig.
		Problem   string
		NoAddress bool
		// First are the sets that go before this one, Without whom it does not wait for any more.
		First   []string
		Without string
		// Unheard are the sets that were not looked at yet.
		Unheard []string
	}
}

func read(in *scenario.Input) (s story, err error) {
	s.saw.Provider.Ready = true
	if in.Has("owner.yaml") {
		s.owner = &kcm.ClusterDeployment{}
		if err := in.Decode("owner.yaml", s.owner); err != nil {
			return s, err
		}
	}
	for name, into := range map[string]any{"serviceset.yaml": &s.set, "observed.yaml": &s.saw, "engine.yaml": &s.engine} {
		if err := in.Decode(name, into); err != nil {
			return s, err
		}
	}
	s.saw.Notes, err = service.NotesOf(&s.set)
	return s, err
}

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		s, err := read(in)
		if err != nil {
			return nil, err
		}
		if s.set.DeletionTimestamp != nil {
			return s.end(), nil
		}
		wanted, parts, problem := s.wanted()
		report := s.engine.Report
		if problem == "" {
			problem = s.engine.Problem
		}
		if problem != "" {
			report = engine.Report{}
		}
		done := Outcome{Report: report, Problem: problem, Waiting: s.engine.NoAddress, Saw: s.saw, Parts: parts, Now: noon}
		return append([]scenario.Section{scenario.Text("wanted", wanted...)}, s.statusSections(done)...), nil
	})
}

// wanted is what the engine is given, or the problem of the whole set.
func (s story) wanted() (lines []string, _ Parts, problem string) {
	parts, err := Resolve(&s.set, s.saw)
	if err == nil {
		parts.Target, err = Blame(parts.Target, memory.New(memory.NewWorld(), nil).Refuse(parts.Target))
	}
	if err != nil {
		return []string{"nothing: " + fleet.Sentence(err)}, parts, fleet.Sentence(err)
	}
	lines = setLines(parts.Target)
	if parts.Local != nil {
		lines = append(lines, setLines(*parts.Local)...)
	}
	return lines, parts, ""
}

func setLines(set engine.Set) []string {
	lines := []string{fmt.Sprintf("set %s on %s, %s", set.Set, set.Target, set.Policy.Sync)}
	if set.Paused {
		lines = append(lines, "paused")
	}
	for _, r := range set.Health {
		lines = append(lines, fmt.Sprintf("judged by %s: %s of kind %s", r.Source, r.Healthy, r.Kind))
	}
	for _, svc := range set.Services {
		lines = append(lines, serviceLines(svc)...)
	}
	for _, key := range slices.SortedFunc(maps.Keys(set.Leaving.DependsOn), engine.CompareKeys) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("leaving %s, needs %v", key, set.Leaving.DependsOn[key])))
	}
	for _, key := range slices.SortedFunc(maps.Keys(set.Leaving.Unawaited), engine.CompareKeys) {
		lines = append(lines, fmt.Sprintf("not waiting for %s", key))
	}
	return lines
}

// statusSections are the status that comes of a look, what is told of it, and when to look again.
func (s story) statusSections(done Outcome) []scenario.Section {
	status := Status(&s.set, done)
	lines := newlyOverdue(s.set.Status, status)
	for i, line := range lines {
		lines[i] = "event: " + line
	}
	if again := removalsOf(&s.set, done).again; !again.IsZero() {
		lines = append(lines, "look again in "+again.Sub(noon).String())
	}
	out := statusSections(status)
	if len(lines) > 0 {
		out = append(out, scenario.Text("deadline", lines...))
	}
	return out
}

func serviceLines(svc engine.Service) []string {
	lines := []string{fmt.Sprintf("%s %s %s version %s", svc.Key, svc.Kind, svc.Template, svc.Version)}
	add := func(format string, args ...any) { lines = append(lines, "    "+fmt.Sprintf(format, args...)) }
	if svc.Uninstall {
		add("uninstall")
	}
	if svc.NotYet != "" {
		add("not yet: %s", svc.NotYet)
		return lines
	}
	if svc.Problem != "" {
		add("problem: %s", svc.Problem)
		return lines
	}
	if svc.Source.Digest != "" {
		add("%s %s", contents[svc.Kind], svc.Source.Digest)
	}
	if svc.Values != "" {
		add("values %s", svc.Values)
	}
	for _, dep := range svc.DependsOn {
		add("after %s", dep)
	}
	for _, other := range svc.Yields {
		add("yields to %s", other)
	}
	o := svc.Options
	add("atomic %v, wait %v, timeout %s, namespace %v, history %d", o.Atomic, o.Wait, o.Timeout, o.CreateNamespace, o.Upgrade.MaxHistory)
	return lines
}

// end is how a deletion goes on.
func (s story) end() []scenario.Section {
	saw := Departure{Report: s.engine.Report, Problem: s.engine.Problem, NoAddress: s.engine.NoAddress, First: s.engine.First, Unheard: s.engine.Unheard, Provider: s.saw.Provider, Now: noon}
	if s.saw.Provider.Suspended {
		saw.Suspended = s.saw.Provider.Held
	}
	if saw.Cluster.Exists = s.owner != nil; saw.Cluster.Exists && s.owner.DeletionTimestamp != nil {
		saw.Cluster.Deleting = s.owner.DeletionTimestamp.Time
	}
	end := DecideEnd(&s.set, saw)
	removal := s.removal()
	if end.Release {
		lines := []string{"release the ServiceSet"}
		if end.Abandoned != "" {
			lines = append(lines, "event: "+abandonment(&s.set, end))
		}
		return append(removal, scenario.Text("end", lines...))
	}
	line := "wait for " + end.Next.Reason()
	if left, _ := end.Next.Waiting(); left > 0 {
		line += fmt.Sprintf(", at most %s", left)
	}
	done := Outcome{Report: saw.Report, Problem: end.Held, Without: s.engine.Without, Saw: Observed{Provider: saw.Provider, Unheard: saw.Unheard}, Now: noon}
	return append(append(removal, scenario.Text("end", line)), s.statusSections(done)...)
}

// removal is what the engine is told of services that are removed in a way of their own.
func (s story) removal() []scenario.Section {
	was, err := recordOf(&s.set, "memory")
	if err != nil {
		return []scenario.Section{scenario.Text("removal", err.Error())}
	}
	var lines []string
	options := removalOf(&s.set, was, s.saw).Options
	for _, key := range slices.SortedFunc(maps.Keys(options), func(a, b engine.Key) int { return strings.Compare(a.String(), b.String()) }) {
		if o := options[key]; o.DisableHooks || o.Uninstall != (engine.UninstallOptions{}) {
			lines = append(lines, fmt.Sprintf("%s keep history %v, hooks %v, propagation %q, timeout %s",
				key, o.Uninstall.KeepHistory, !o.DisableHooks && !o.Uninstall.DisableHooks, o.Uninstall.Propagation, o.Timeout))
		}
	}
	if lines == nil {
		return nil
	}
	return []scenario.Section{scenario.Text("removal", lines...)}
}

func deployedLine(status kcm.ServiceSetStatus) string {
	line := fmt.Sprintf("deployed %v", status.Deployed)
	if !status.Provider.Ready {
		line += ", provider not ready"
	}
	if status.Provider.Suspended {
		line += ", provider suspended"
	}
	return line
}

func statusSections(status kcm.ServiceSetStatus) []scenario.Section {
	lines := []string{deployedLine(status)}
	for _, s := range status.Services {
		line := fmt.Sprintf("%s/%s %s since %s", s.Namespace, s.Name, s.State, s.LastStateTransitionTime.UTC().Format(time.TimeOnly))
		for _, word := range []struct{ name, value string }{{"template", s.Template}, {"version", s.Version}, {"hash", s.LastDeployedHash}} {
			if word.value != "" {
				line += ", " + word.name + " " + word.value
			}
		}
		if lines = append(lines, line); s.FailureMessage != "" {
			lines = append(lines, "    "+s.FailureMessage)
		}
		for _, c := range s.Conditions {
			lines = append(lines, fmt.Sprintf("    %s=%s %s since %s: %s", c.Type, c.Status, c.Reason, c.LastTransitionTime.UTC().Format(time.TimeOnly), c.Message))
		}
	}
	return []scenario.Section{scenario.Text("services", lines...), scenario.DatedConditions("conditions", status.Conditions)}
}

// Whatever the engine says, folding it twice is folding it once: no word and no time moves.
func TestStatusIsStable(t *testing.T) {
	set := kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
	for _, name := range []string{"a", "b", "c"} {
		set.Spec.Services = append(set.Spec.Services, kcm.ServiceWithValues{Name: name, Namespace: "default", Template: "t"})
	}
	report := engine.Report{Services: []engine.ServiceReport{
		{Key: engine.Key{Namespace: "default", Name: "a"}, Template: "t", State: engine.Deployed, Since: noon},
		{Key: engine.Key{Namespace: "default", Name: "b"}, State: engine.Unseen},
		{Key: engine.Key{Namespace: "default", Name: "c"}, State: engine.Failed, Message: "no", Since: noon},
	}}
	for _, problem := range []string{"", "there is no kubeconfig", ""} {
		set.Generation++ // what was known is of another wish each time
		set.Status = Status(&set, Outcome{Report: report, Problem: problem, Waiting: problem != "", Now: noon})
		was, err := json.Marshal(set.Status)
		if err != nil {
			t.Fatal(err)
		}
		// A new engine knows since when only as long as it has been running itself.
		for i := range report.Services {
			report.Services[i].Since = noon.Add(time.Hour)
		}
		now, err := json.Marshal(Status(&set, Outcome{Report: report, Problem: problem, Waiting: problem != "", Now: noon.Add(2 * time.Hour)}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(was, now) {
			t.Errorf("with problem %q the status moved though nothing did:\n%s\n%s", problem, was, now)
		}
	}
}
