package sveltos

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

func key(name string) engine.Key { return engine.Key{Namespace: "ns", Name: name} }

// wished is an entry as it is wanted in a version.
func wished(name, digest string) entry {
	return entry{
		"releaseNamespace": "ns", "releaseName": name, "chartVersion": digest, "helmChartAction": "Install",
		"options": map[string]any{"labels": map[string]any{helm.DigestLabel: digest}},
	}
}

func toldOf(entries ...entry) *told {
	return &told{object: &unstructured.Unstructured{Object: map[string]any{}}, entries: entries}
}

// world is what is seen: each service is wanted with digest "new".
func world(t *told, releases map[string]string) seen {
	saw := seen{
		told: t, releases: map[engine.Key]helm.State{}, health: map[engine.Key]string{}, loaded: map[engine.Key]loaded{},
		heard: &heard{current: true, releases: map[engine.Key]heardOf{}}, owners: map[engine.Key]claim{}, rivals: map[engine.Key]bool{},
		known: map[engine.Key]bool{}, trusted: time.Unix(100, 0),
	}
	for name, digest := range releases {
		saw.releases[key(name)] = helm.State{Status: helm.Deployed, Revision: 1, Digest: digest}
		saw.heard.releases[key(name)] = heardOf{mine: true}
		saw.health[key(name)] = ""
	}
	for _, name := range []string{"a", "b"} {
		saw.loaded[key(name)] = loaded{wish: wish{digest: "new", version: "new", entry: wished(name, "new")}}
		saw.known[key(name)] = true
	}
	return saw
}

func with(saw seen, change func(*seen)) seen {
	change(&saw)
	return saw
}

func TestDecide(t *testing.T) {
	a, b := engine.Service{Key: key("a")}, engine.Service{Key: key("b"), DependsOn: []engine.Key{key("a")}}
	gone := a
	gone.Uninstall = true
	failed := func(saw *seen) {
		saw.heard.failed, saw.heard.at = true, time.Unix(200, 0)
		saw.heard.releases[key("a")] = heardOf{mine: true, failure: "the disk is full"}
	}
	for _, tc := range []struct {
		name, why string
		services  []engine.Service
		policy    engine.Policy
		saw       seen
		state     engine.State // of a
		message   string
		entries   string // name:version:action
	}{
		{"New", "what Sveltos was never told of is handed over", []engine.Service{a}, engine.Policy{},
			world(nil, nil), engine.Provisioning, "installing", "a:new:Install"},
		{"Deployed", "what is on the target as wanted is deployed", []engine.Service{a}, engine.Policy{},
			world(toldOf(wished("a", "new")), map[string]string{"a": "new"}), engine.Deployed, "", "a:new:Install"},
		{"Unhealthy", "but not before it runs", []engine.Service{a}, engine.Policy{},
			with(world(toldOf(wished("a", "new")), map[string]string{"a": "new"}), func(s *seen) { s.health[key("a")] = "Deployment ns/a: crashes" }),
			engine.Provisioning, "crashes", "a:new:Install"},
		{"Changed", "another wish is written down", []engine.Service{a}, engine.Policy{},
			world(toldOf(wished("a", "old")), map[string]string{"a": "old"}), engine.Provisioning, "upgrading from revision 1", "a:new:Install"},
		{"Waits", "a dependant is not handed over before what it needs is deployed", []engine.Service{a, b}, engine.Policy{},
			world(toldOf(wished("a", "old")), map[string]string{"a": "old"}), engine.Provisioning, "", "a:new:Install"},
		{"WaitsForUpgrade", "and stays as it is while what it needs is upgraded", []engine.Service{a, b}, engine.Policy{},
			world(toldOf(wished("a", "old"), wished("b", "old")), map[string]string{"a": "old", "b": "old"}), engine.Provisioning, "", "a:new:Install b:old:Install"},
		{"Failed", "Sveltos' word about a failure is passed on", []engine.Service{a}, engine.Policy{},
			with(world(toldOf(wished("a", "new")), map[string]string{"a": "old"}), failed), engine.Failed, "the disk is full", "a:new:Install"},
		{"OldFailure", "not if it is about another wish", []engine.Service{a}, engine.Policy{},
			with(world(toldOf(wished("a", "new")), map[string]string{"a": "old"}), func(s *seen) { failed(s); s.heard.at = time.Unix(50, 0) }),
			engine.Provisioning, "upgrading", "a:new:Install"},
		{"TargetFailed", "nor if it is the target's", []engine.Service{a}, engine.Policy{},
			with(world(toldOf(wished("a", "new")), map[string]string{"a": "old"}), func(s *seen) {
				failed(s)
				s.heard.releases[key("a")] = heardOf{mine: true, failure: "dial tcp: connection refused"}
			}), engine.Provisioning, "upgrading", "a:new:Install"},
		{"SameVersion", "a chart that Sveltos will not upgrade is not called deployed", []engine.Service{a}, engine.Policy{},
			with(world(toldOf(wished("a", "new")), map[string]string{"a": "old"}), func(s *seen) { s.heard.settled, s.heard.at = true, time.Unix(200, 0) }),
			engine.Failed, "another version", "a:new:Install"},
		{"Taken", "a release of another set is told with its name", []engine.Service{a}, engine.Policy{},
			with(world(toldOf(wished("a", "new")), map[string]string{"a": "new"}), func(s *seen) {
				s.heard.releases[key("a")] = heardOf{taken: true}
				s.owners[key("a")] = claim{set: "team/other"}
			}), engine.Failed, "ServiceSet team/other", "a:new:Install"},
		{"Held", "with stopOnError, a failed service holds back the others", []engine.Service{a, {Key: key("b"), Problem: "no template"}}, engine.Policy{StopOnError: true},
			world(toldOf(wished("a", "old")), map[string]string{"a": "old"}), engine.Pending, "ns/b", "a:old:Install"},
		{"DryRun", "a dry run writes nothing new", []engine.Service{a}, engine.Policy{Sync: engine.DryRun},
			world(nil, nil), engine.Pending, "dry run: ", ""},
		{"Once", "what was installed once stays", []engine.Service{a}, engine.Policy{Sync: engine.OneTime},
			world(toldOf(wished("a", "old")), map[string]string{"a": "old"}), engine.Deployed, "", "a:old:Install"},
		{"Uninstall", "what shall go is taken out by name, so that its options count", []engine.Service{gone}, engine.Policy{},
			world(toldOf(wished("a", "old")), map[string]string{"a": "old"}), engine.Deleting, "", "a:old:Uninstall"},
		{"Uninstalled", "and forgotten when it is gone", []engine.Service{gone}, engine.Policy{},
			world(toldOf(withdrawn(wished("a", "old"), nil)), nil), engine.Deleted, "", ""},
		{"Dropped", "what is not in the set any more is taken out too", nil, engine.Policy{},
			world(toldOf(wished("a", "old")), map[string]string{"a": "old"}), engine.Deleting, "", "a:old:Uninstall"},
		{"HandedOver", "but left to another set that wants it", nil, engine.Policy{},
			with(world(toldOf(wished("a", "old")), map[string]string{"a": "old"}), func(s *seen) { s.rivals[key("a")] = true }), "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := decide(engine.Set{Services: tc.services, Policy: tc.policy}, tc.saw)
			got := p.services[key("a")]
			if got.state != tc.state || !strings.Contains(got.message, tc.message) {
				t.Errorf("%s: a is %s: %q; wanted %s: %q", tc.why, got.state, got.message, tc.state, tc.message)
			}
			if said := said(p.entries); said != tc.entries {
				t.Errorf("%s: the Profile says %q; wanted %q", tc.why, said, tc.entries)
			}
		})
	}
}

func said(entries []entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, strings.Join([]string{e.key().Name, e["chartVersion"].(string), e["helmChartAction"].(string)}, ":"))
	}
	return strings.Join(out, " ")
}

func TestDecideRemoval(t *testing.T) {
	both := map[string]string{"a": "old", "b": "old"}
	needs := map[engine.Key][]engine.Key{key("b"): {key("a")}}
	for _, tc := range []struct {
		name, why string
		what      engine.Removal
		saw       seen
		entries   string
		remove    bool
		gone      bool
	}{
		{"Whole", "without an order, the Profile goes at once", engine.Removal{}, world(toldOf(wished("a", "old"), wished("b", "old")), both), "a:old:Install b:old:Install", true, false},
		{"Ordered", "a dependant goes before what it needs", engine.Removal{DependsOn: needs}, world(toldOf(wished("a", "old"), wished("b", "old")), both), "a:old:Install b:old:Uninstall", false, false},
		{"Last", "then the rest goes at once", engine.Removal{DependsOn: needs}, world(toldOf(wished("a", "old"), withdrawn(wished("b", "old"), nil)), map[string]string{"a": "old"}), "a:old:Install b:old:Uninstall", true, false},
		{"Paused", "a pause is taken away first: Sveltos would leave the Profile as it is", engine.Removal{},
			with(world(toldOf(wished("a", "old")), both), func(s *seen) { s.told.paused = true }), "a:old:Install", false, false},
		{"Unheard", "what Sveltos has not read yet would go with its old options", engine.Removal{},
			with(world(toldOf(wished("a", "old")), both), func(s *seen) { s.heard.current = false }), "a:old:Install", false, false},
		{"Gone", "without Profile and ClusterSummary nothing is left", engine.Removal{}, with(world(nil, nil), func(s *seen) { s.heard = nil }), "", false, true},
		{"Going", "as long as there is a ClusterSummary, something may be", engine.Removal{}, world(nil, nil), "", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := decideRemoval(tc.what, tc.saw)
			if said := said(p.entries); said != tc.entries || p.remove != tc.remove || p.gone != tc.gone {
				t.Errorf("%s: the Profile says %q, remove %v, gone %v", tc.why, said, p.remove, p.gone)
			}
		})
	}
}
