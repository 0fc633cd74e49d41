package rollout

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/admission"
	"portico.dev/portico/internal/scenario"
)

// step is one thing that happens. After it the controllers work until nothing changes.
type step struct {
	// Change is the subject's next revision; Changes are those of ClusterDeployments.
	Change  string
	Changes map[string]string
	// Deploy and Fail name clusters on which what they have comes to that end; Ill are those
	// that are deployed no more. "all" are all that are on their way.
	Deploy, Fail, Ill []string
	// Settle deploys whatever is on its way, again and again, until nothing is.
	Settle bool
	// Wait lets time pass.
	Wait string
	// Join adds clusters, Leave takes them away.
	Join  map[string]cluster
	Leave []string
	// Set changes fields of the spec.
	Set map[string]any
}

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		f := newWorld()
		var clusters map[string]cluster
		var steps []step
		for name, into := range map[string]any{"spec.yaml": &f.rollout.Spec, "clusters.yaml": &clusters, "steps.yaml": &steps} {
			if err := in.Decode(name, into); err != nil {
				return nil, err
			}
		}
		if problems := admission.ValidateRolloutSpec(f.rollout.Spec); len(problems) > 0 {
			return nil, problems.ToAggregate()
		}
		f.join(clusters)
		f.rollout.Namespace, f.rollout.Name, f.rollout.Generation = "team", "slowly", 1
		out := ""
		for _, s := range steps {
			if err := f.take(s); err != nil {
				return nil, err
			}
			out += "> " + s.String() + "\n" + f.String()
		}
		sections := []scenario.Section{scenario.Text("story", strings.TrimSuffix(out, "\n"))}
		var past []string
		for _, h := range f.rollout.Status.History {
			past = append(past, fmt.Sprintf("%s %s on %d clusters, %s to %s", h.Revision, h.Phase, h.Clusters, h.Started.UTC().Format(time.TimeOnly), h.Ended.UTC().Format(time.TimeOnly)))
		}
		return append(sections, scenario.Text("history", past...)), nil
	})
}

func (f *world) join(clusters map[string]cluster) {
	for name, c := range clusters {
		f.clusters[name] = &c
		if !f.many() && f.revision == "" {
			f.revision = c.At
		}
	}
}

func (f *world) take(s step) error {
	if s.Change != "" {
		f.revision = s.Change
	}
	for name, want := range s.Changes {
		f.clusters[name].Want = want
	}
	f.join(s.Join)
	for _, name := range s.Leave {
		delete(f.clusters, name)
	}
	if s.Wait != "" {
		d, err := time.ParseDuration(s.Wait)
		if err != nil {
			return err
		}
		f.now = f.now.Add(d)
	}
	if s.Set != nil {
		raw, err := json.Marshal(s.Set)
		if err != nil {
			return err
		}
		f.rollout.Generation++
		if err := json.Unmarshal(raw, &f.rollout.Spec); err != nil {
			return err
		}
	}
	f.end(s.Deploy, "Deployed")
	f.end(s.Fail, "Failed")
	f.end(s.Ill, "")
	f.rest()
	for s.Settle && f.end([]string{"all"}, "Deployed") {
		f.rest()
	}
	return nil
}

// end brings clusters to a state, and says whether it did.
func (f *world) end(names []string, state string) (any bool) {
	for _, name := range slices.Sorted(maps.Keys(f.clusters)) {
		c := f.clusters[name]
		if slices.Contains(names, name) || slices.Contains(names, "all") && c.At != "" && c.State == "" {
			c.State, any = state, true
		}
	}
	return any
}

func (s step) String() string {
	var words []string
	add := func(verb string, names []string) {
		if len(names) > 0 {
			words = append(words, verb+" "+strings.Join(names, ", "))
		}
	}
	add("change to", slices.DeleteFunc([]string{s.Change}, func(s string) bool { return s == "" }))
	for _, name := range slices.Sorted(maps.Keys(s.Changes)) {
		words = append(words, "change "+name+" to "+s.Changes[name])
	}
	add("join", slices.Sorted(maps.Keys(s.Join)))
	add("leave", s.Leave)
	add("deploy", s.Deploy)
	add("fail", s.Fail)
	add("ill", s.Ill)
	if s.Settle {
		words = append(words, "settle")
	}
	if s.Wait != "" {
		words = append(words, "wait "+s.Wait)
	}
	if s.Set != nil {
		raw, _ := json.Marshal(s.Set) // it came from YAML
		words = append(words, "set "+string(raw))
	}
	return strings.Join(words, "; ")
}
