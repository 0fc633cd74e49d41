package multicluster

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/state/placement"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// story is what goes into a scenario.
type story struct {
	owner  kcm.MultiClusterService
	others []kcm.MultiClusterService
	facts  struct {
		Namespace string // of a NamespacedMultiClusterService
		Newest    string
		Recorded  map[string]kcm.ServiceSpec
		Templates map[string]Template
		Chains    map[string]Chain
	}
	rollout *statev1.Rollout
	sites   []siteStory
}

// siteStory is a cluster of namespace team; the one without a name is the management cluster.
type siteStory struct {
	Cluster       string
	Labels        map[string]string
	DryRun, Going bool
	Regional      bool
	Set           *kcm.ServiceSet
	Dependencies  map[string]*kcm.ServiceSet
	Dependents    []string
	// Leaving are the ServiceSets of dependents that are known, by the owner's name.
	Leaving   map[string]*kcm.ServiceSet
	Templates map[string]Template
	Problem   string
}

func read(in *scenario.Input) (s story, err error) {
	if in.Has("rollout.yaml") {
		s.rollout = &statev1.Rollout{}
		if err := in.Decode("rollout.yaml", s.rollout); err != nil {
			return s, err
		}
	}
	for name, into := range map[string]any{"owner.yaml": &s.owner, "others.yaml": &s.others, "facts.yaml": &s.facts, "sites.yaml": &s.sites} {
		if err := in.Decode(name, into); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s story) wish(m kcm.MultiClusterService) (placement.Wish, error) {
	o := placement.Owner{Kind: statev1.SubjectMultiClusterService, Name: m.Name}
	if s.facts.Namespace != "" {
		o = placement.Owner{Kind: statev1.SubjectNamespaced, Namespace: s.facts.Namespace, Name: m.Name}
	}
	w, err := placement.NewWish(o, m.Spec)
	w.Deleting, w.Deadline = m.DeletionTimestamp != nil, placement.DeadlineOf(m.Annotations)
	return w, err
}

func (s story) toFacts() Facts {
	f := Facts{
		Home: "kcm-system", UID: s.owner.UID, Others: map[string]placement.Wish{}, Newest: s.facts.Newest, Recorded: s.facts.Recorded,
		Templates: s.facts.Templates, Chains: s.facts.Chains, Rollout: s.rollout, Now: noon,
	}
	if s.facts.Namespace != "" {
		f.Home = s.facts.Namespace
	}
	var problem error
	if f.Wish, problem = s.wish(s.owner); problem != nil {
		f.SelectorProblem = problem.Error()
	}
	for _, m := range append(s.others, s.owner) {
		f.Others[m.Name], _ = s.wish(m)
	}
	return f
}

func (s siteStory) toSite(f Facts) SiteState {
	out := SiteState{Site: Site{Target: placement.Management(), Set: s.Set, Going: s.Going, Regional: s.Regional, Templates: s.Templates}, Problem: s.Problem}
	if s.Cluster != "" {
		out.Target = placement.Target{Cluster: types.NamespacedName{Namespace: "team", Name: s.Cluster}, Labels: s.Labels, Leaving: s.DryRun || s.Going}
	}
	if s.Set != nil && s.Set.Name == "" {
		s.Set.Name = placement.SetKey(f.Owner, out.Target, f.Home).Name
	}
	for _, name := range f.Spec.DependsOn {
		out.Dependencies = append(out.Dependencies, placement.Dependency{Wish: f.Others[name], Set: s.Dependencies[name]})
	}
	for _, name := range f.dependents() {
		d := placement.Dependent{Wish: f.Others[name]}
		for _, present := range s.Dependents {
			d.Present = d.Present || present == name
		}
		if set := s.Leaving[name]; set != nil {
			d.Present, d.Set = true, set
		}
		out.Dependents = append(out.Dependents, d)
	}
	return out
}

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		s, err := read(in)
		if err != nil {
			return nil, err
		}
		f := s.toFacts()
		var sites []SiteState
		var verdicts []string
		for _, at := range s.sites {
			site := at.toSite(f)
			sites = append(sites, site)
			v := Decide(f, site.Site)
			line := fmt.Sprintf("%s: %s %s", site.Target, v.Verb, v.Revision)
			if len(v.Copy) > 0 {
				line += fmt.Sprintf(", copy %v", v.Copy)
			}
			if len(v.Adopt) > 0 {
				line += fmt.Sprintf(", adopt %v", v.Adopt)
			}
			if verdicts = append(verdicts, line); v.Verb == Remove && v.Message != "" {
				verdicts = append(verdicts, "    event: "+v.Message)
			}
			if !v.Again.IsZero() {
				verdicts = append(verdicts, "    look again in "+v.Again.Sub(noon).String())
			}
		}
		status := Status(f, 1, s.owner.Status, sites)
		sections := []scenario.Section{scenario.Text("verdicts", verdicts...)}
		var lines []string
		for _, m := range status.MatchingClusters {
			line := fmt.Sprintf("%s %s/%s deployed=%v since %s", m.Kind, m.Namespace, m.Name, m.Deployed, m.LastTransitionTime.UTC().Format(time.TimeOnly))
			if m.Regional {
				line += " regional"
			}
			lines = append(lines, line)
			if m.Reason != "" {
				lines = append(lines, "    "+m.Reason+": "+m.Message)
			}
		}
		sections = append(sections, scenario.Text("matching", lines...), scenario.Conditions("conditions", status.Conditions))
		lines = nil
		for _, p := range status.ServicesUpgradePaths {
			lines = append(lines, fmt.Sprintf("%s/%s at %s: %v", p.Namespace, p.Name, p.Template, p.AvailableUpgrades))
		}
		for _, v := range status.Services {
			lines = append(lines, fmt.Sprintf("%s/%s %s %s", v.Namespace, v.Name, v.State, v.FailureMessage))
		}
		for _, e := range Events(f, s.owner.Status, status) {
			lines = append(lines, fmt.Sprintf("event %s %s: %s", e.Type, e.Reason, e.Message))
		}
		return append(sections, scenario.Text("services", lines...)), nil
	})
}
