package admission_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// mcs is a MultiClusterService with a service spec, which all kinds with services share.
func mcs(t *testing.T, serviceSpec string) *kcm.MultiClusterService {
	t.Helper()
	return from[kcm.MultiClusterService](t, "metadata: {name: m}\nspec: {serviceSpec: "+serviceSpec+"}")
}

// judge says what is wrong with a new service spec.
func judge(t *testing.T, serviceSpec string) field.ErrorList {
	t.Helper()
	parse := func(text string) error {
		if strings.Count(text, "{{") != strings.Count(text, "}}") {
			return errors.New("an action is not closed")
		}
		return nil
	}
	return admission.ValidateMultiClusterService(mcs(t, serviceSpec), nil, admission.MultiClusterServiceRefs{Services: admission.ServiceRefs{MayCome: true, ParseValues: parse}})
}

func TestServices(t *testing.T) {
	row := func(name, why, services string, want ...string) verdict {
		return verdict{name, why, judge(t, "{services: "+services+"}"), want}
	}
	check(t, []verdict{
		row("Good", "A service, what it needs, and values from elsewhere.",
			"[{name: web, namespace: web, template: w, dependsOn: [{name: db}], values: 'a: 1', valuesFrom: [{kind: Secret, name: x.y}]}, {name: db, template: d}]"),
		row("Name", "It becomes a release.", "[{name: Web.1, template: w}]", "spec.serviceSpec.services[0].name: lower case"),
		row("Namespace", "It becomes a namespace.", "[{name: web, namespace: my.space, template: w}]", "spec.serviceSpec.services[0].namespace: lower case"),
		row("SameRelease", "The empty namespace is the default one, so both are one release.", "[{name: web, template: a}, {name: web, namespace: default, template: b}]",
			"spec.serviceSpec.services[1].name: services[0] is the same release"),
		row("UnknownDependency", "It would wait for ever.", "[{name: web, template: w, dependsOn: [{name: db, namespace: data}]}, {name: db, template: d}]",
			"spec.serviceSpec.services[0].dependsOn[0]: no such service in this spec"),
		row("Circle", "None could be first.", "[{name: a, template: x, dependsOn: [{name: b}]}, {name: b, template: x, dependsOn: [{name: c}]}, {name: c, template: x, dependsOn: [{name: a}]}]",
			"spec.serviceSpec.services: default/a -> default/b -> default/c -> default/a"),
		row("Itself", "The smallest circle.", "[{name: a, template: x, dependsOn: [{name: a}]}]", "spec.serviceSpec.services: default/a -> default/a"),
		row("NoYAML", "No chart takes it.", "[{name: a, template: x, values: 'a: [1'}]", "spec.serviceSpec.services[0].values: YAML mapping"),
		row("List", "Values are a mapping.", "[{name: a, template: x, values: '[1]'}]", "spec.serviceSpec.services[0].values: YAML mapping"),
		row("Expression", "Values with expressions need not be YAML before they are evaluated.", "[{name: a, template: x, values: '{{ range .x }}a: b{{ end }}'}]"),
		row("BadExpression", "It could never be evaluated.", "[{name: a, template: x, values: 'a: {{ .x'}]", "spec.serviceSpec.services[0].values: an action is not closed"),
		row("ValuesFrom", "There are two kinds with values, and both have names.", "[{name: a, template: x, valuesFrom: [{kind: Pod, name: x}, {kind: Secret, name: ''}, {kind: Secret, name: A_b}, {kind: Secret, name: '{{ .Cluster.metadata.name }}-x'}]}]",
			"spec.serviceSpec.services[0].valuesFrom[0].kind: Secret", "spec.serviceSpec.services[0].valuesFrom[1].name: name a Secret", "spec.serviceSpec.services[0].valuesFrom[2].name: no Secret can have this name"),
		row("Timeout", "Time does not run backwards.", "[{name: a, template: x, helmOptions: {timeout: -1m}}]", "spec.serviceSpec.services[0].helmOptions.timeout: a duration"),
	})
}

func TestServiceChains(t *testing.T) {
	chain := from[kcm.ServiceTemplateChain](t, "metadata: {name: web}\nspec: {supportedTemplates: [{name: w1, availableUpgrades: [{name: w2}]}, {name: w2, availableUpgrades: [{name: w3}]}, {name: w3}, {name: w9}]}")
	broken := from[kcm.ServiceTemplateChain](t, "metadata: {name: broken}\nspec: {supportedTemplates: [{name: w1}]}\nstatus: {valid: false, validationError: it has no end}")
	templates := map[string]*kcm.ServiceTemplate{
		"bad": from[kcm.ServiceTemplate](t, "metadata: {name: bad, generation: 1}\nspec: {helm: {}}\nstatus: {valid: false, observedGeneration: 1, validationError: no chart}"),
	}
	refs := func(running ...string) admission.MultiClusterServiceRefs {
		return admission.MultiClusterServiceRefs{Services: admission.ServiceRefs{
			Namespace: "kcm-system", MayCome: true, Templates: templates, Chains: map[string]*kcm.ServiceTemplateChain{"web": chain, "broken": broken},
			Running: map[string][]string{"default/web": running},
		}}
	}
	web := func(template string) *kcm.MultiClusterService {
		return mcs(t, "{services: [{name: web, template: "+template+", templateChain: web}]}")
	}
	const at = "spec.serviceSpec.services[0].template"
	check(t, []verdict{
		{"Later", "Templates and chains come in the same delivery, in any order.", admission.ValidateMultiClusterService(mcs(t, "{services: [{name: a, template: x, templateChain: y}]}"), nil, refs()), nil},
		{"BadTemplate", "A template that was judged bad stays bad.", admission.ValidateMultiClusterService(mcs(t, "{services: [{name: a, template: bad}]}"), nil, refs()), []string{at + ": no chart"}},
		{"BadChain", "It leads nowhere that can be trusted.", admission.ValidateMultiClusterService(mcs(t, "{services: [{name: a, template: w1, templateChain: broken}]}"), nil, refs()), []string{at + "Chain: the chain cannot be used: it has no end"}},
		{"Unlisted", "The chain does not know the template.", admission.ValidateMultiClusterService(web("other"), nil, refs()), []string{at + "Chain: does not list template other"}},
		{"Start", "A new service may begin anywhere on the chain.", admission.ValidateMultiClusterService(web("w3"), nil, refs()), nil},
		{"Hop", "One step.", admission.ValidateMultiClusterService(web("w2"), web("w1"), refs("w1")), nil},
		{"Hops", "The way is taken one step after the other.", admission.ValidateMultiClusterService(web("w3"), web("w1"), refs("w1")), nil},
		{"NoWay", "No step leads there.", admission.ValidateMultiClusterService(web("w9"), web("w1"), refs("w1")), []string{at + ": chain web does not lead from w1 to w9: use one of w2, w3, or"}},
		{"Back", "Steps have one direction.", admission.ValidateMultiClusterService(web("w1"), web("w3"), refs("w3")), []string{at + ": does not lead from w3 to w1: it leads nowhere from there"}},
		{"GiveUp", "The step to w3 has not been taken yet: what runs may be wanted again.", admission.ValidateMultiClusterService(web("w1"), web("w3"), refs("w1", "w2")), nil},
		{"Retarget", "The step failed on its way from w1, from where one leads to w2.", admission.ValidateMultiClusterService(web("w2"), web("w9"), refs("w1")), nil},
		{"NoChain", "Without a chain any template may follow, as in k0rdent.", admission.ValidateMultiClusterService(mcs(t, "{services: [{name: web, template: w9}]}"), web("w1"), refs("w1")), nil},
		{"Disabled", "It stays as it is.", admission.ValidateMultiClusterService(mcs(t, "{services: [{name: web, template: w9, templateChain: web, disable: true}]}"), web("w1"), refs("w1")), nil},
		{"KeptBad", "What was accepted before does not block a change of something else.",
			admission.ValidateMultiClusterService(but(mcs(t, "{services: [{name: a, template: bad}]}"), func(m *kcm.MultiClusterService) { m.Spec.KeepServicesOnSelectorMismatch = true }), mcs(t, "{services: [{name: a, template: bad}]}"), refs()), nil},
	})
}

func TestServiceConfig(t *testing.T) {
	const at = "spec.serviceSpec.provider.config"
	row := func(name, why, config string, want ...string) verdict {
		return verdict{name, why, judge(t, "{provider: {config: "+config+"}}"), want}
	}
	check(t, []verdict{
		row("Good", "All that we know, and what we do not know is somebody else's.",
			"{syncMode: DryRun, priority: 7, stopOnConflict: true, continueOnError: false, reload: true, reloader: true, maxConsecutiveFailures: 0, stopMatchingBehavior: LeavePolicies, other: {deep: [1]}, "+
				"driftIgnore: [{kind: Deployment, labelSelector: 'app in (a,b)'}], driftExclusions: [{paths: [/spec/replicas, /metadata/annotations/a~1b], target: {name: 'web-.*'}}], "+
				"patches: [{patch: 'spec: {replicas: 1}'}, {patch: '[{op: replace, path: /spec/replicas, value: 1}]', target: {kind: Deployment}}, {patch: '{{ .x }}'}], "+
				"templateResourceRefs: [{identifier: a, resource: {apiVersion: v1, kind: Secret, name: '{{ .Cluster.metadata.name }}'}}], policyRefs: [{kind: ConfigMap, name: a}, {remoteURL: {url: 'https://x/y'}}]}"),
		row("NoMapping", "There are no keys in it.", "[1]", at+": a mapping of keys"),
		row("SyncMode", "There is no such mode.", "{syncMode: Always}", at+".syncMode: DryRun"),
		row("Types", "Each by its own path.", "{syncMode: 1, priority: high, stopOnConflict: 'yes', driftIgnore: {}}",
			at+".driftIgnore: a list instead of the object", at+".priority: a whole number instead of the string", at+".stopOnConflict: true or false instead of the string", at+".syncMode: a string instead of the number"),
		row("Priority", "Sveltos could not turn it into a tier.", "{priority: 0}", at+".priority: from 1 to 2147483646"),
		row("Half", "Priorities are whole.", "{priority: 1.5}", at+".priority: whole number"),
		row("Case", "It would count, though the documents write it otherwise.", "{syncmode: DryRun}", at+".syncmode: write it syncMode"),
		row("DriftIgnore", "It would select nothing, or all.", "{driftIgnore: [{kind: X}, {labelSelector: 'a in'}, {name: '['}, {kimd: X}]}",
			at+".driftIgnore[1].labelSelector: a selector such as", at+".driftIgnore[2].name: a regular expression", at+".driftIgnore[3]: unknown field"),
		row("DriftExclusions", "No field is meant.", "{driftExclusions: [{paths: []}, {paths: [spec.replicas, /a~2]}, {paths: [/a], target: {kind: 7}}]}",
			at+".driftExclusions[0].paths: list JSON pointers", at+".driftExclusions[1].paths[0]: a JSON pointer", at+".driftExclusions[1].paths[1]: a JSON pointer", at+".driftExclusions[2].target.kind: a string instead of the number"),
		row("Patches", "They could not be applied.", "{patches: [{patch: 'a: ['}, {patch: hello}, {patch: '[{op: put, path: /a}]'}, {patch: '[{op: add, path: /a}]'}, {patch: '[{op: move, path: /a}]'}, {patch: '[{op: remove, path: a}]'}, {patch: '{{ .x'}]}",
			at+".patches[0].patch: a mapping", at+".patches[1].patch: a mapping", at+".patches[2].patch: mend operation 1: op is one of", at+".patches[3].patch: value is missing",
			at+".patches[4].patch: from is a JSON pointer", at+".patches[5].patch: path is a JSON pointer", at+".patches[6].patch: an action is not closed"),
		row("ResourceRefs", "Values could not quote them.", "{templateResourceRefs: [{identifier: '', resource: {kind: Secret}}]}",
			at+".templateResourceRefs[0].identifier: name the word", at+".templateResourceRefs[0].resource.apiVersion: v1", at+".templateResourceRefs[0].resource.name: name the object"),
		row("Identifiers", "Which of the two is quoted?", "{templateResourceRefs: [{identifier: a, resource: {apiVersion: v1, kind: Secret, name: x}}, {identifier: a, resource: {apiVersion: v1, kind: Secret, name: z}}]}",
			at+".templateResourceRefs[1].identifier: Duplicate"),
		row("PolicyRefs", "There is nothing to apply.", "{policyRefs: [{name: x}, {kind: Pod, name: x}, {kind: Secret}, {remoteURL: {url: 'ftp://x'}}, {kind: Secret, name: x, deploymentType: Both}]}",
			at+".policyRefs[0]: either kind and name, or remoteURL", at+".policyRefs[1].kind: ConfigMap", at+".policyRefs[2].name: name the Secret", at+".policyRefs[3].remoteURL.url: begin with", at+".policyRefs[4].deploymentType: Remote"),
		row("RemoteURL", "Manifests are downloaded from there, in whatever way it is written.", "{policyRefs: [{remoteURL: {url: 'oci://registry.example.com/a/b:1', interval: 10s, secretRef: {name: x, namespace: team}, template: true}, path: app, tier: 1, skipNamespaceCreation: true, optional: true}]}"),
		row("BadRemoteURL", "Nobody could download from there.", "{policyRefs: [{remoteURL: {url: 'https://me:pass@x/y'}}, {remoteURL: {url: 'https://x/y', interval: 1s}}, {remoteURL: {url: 'oci://x', secretRef: {namespace: team}}, name: z}, {remoteURL: {url: 'https://x/y'}, path: app}]}",
			at+".policyRefs[0].remoteURL.url: a URL holds no credentials", at+".policyRefs[1].remoteURL.interval: 10s or more", at+".policyRefs[2].name: take them out", at+".policyRefs[2].remoteURL.url: write oci://",
			at+".policyRefs[2].remoteURL.secretRef.name: name the Secret", at+".policyRefs[3].path: one file"),
		{"Deprecated", "The fields that k0rdent had before are judged by the same rules.", judge(t, "{driftIgnore: [{labelSelector: 'a in'}], driftExclusions: [{paths: [x]}], policyRefs: [{name: x}], templateResourceRefs: [{identifier: a, resource: {apiVersion: v1, kind: Secret}}]}"),
			[]string{"spec.serviceSpec.templateResourceRefs[0].resource.name: name the object", "spec.serviceSpec.policyRefs[0]: either kind", "spec.serviceSpec.driftIgnore[0].labelSelector: a selector", "spec.serviceSpec.driftExclusions[0].paths[0]: a JSON pointer"}},
		{"Others", "The configuration of an engine that is not ours is in its own words.", judge(t, "{provider: {name: mine, config: {priority: high}}}"), nil},
		{"Unchanged", "What was accepted before does not block a change of something else.",
			admission.ValidateMultiClusterService(mcs(t, "{provider: {config: {priority: 0}}, services: [{name: a, template: x}]}"), mcs(t, "{provider: {config: {priority: 0}}}"), admission.MultiClusterServiceRefs{Services: admission.ServiceRefs{MayCome: true}}), nil},
		{"ProviderDisappears", "Its ServiceSets belong to flux.", admission.ValidateMultiClusterService(mcs(t, "{}"), mcs(t, "{provider: {name: flux}}"), admission.MultiClusterServiceRefs{}),
			[]string{"spec.serviceSpec.provider.name: belong to provider flux and cannot move to ksm-projectsveltos"}},
	})
	ours := from[kcm.StateManagementProvider](t, "metadata: {name: mine}\nspec: {selector: {matchLabels: {ksm.k0rdent.mirantis.com/adapter: kcm-controller-manager, state.portico.dev/engine: flux}}}")
	errs := admission.ValidateMultiClusterService(mcs(t, "{provider: {name: mine, config: {priority: high}}}"), nil, admission.MultiClusterServiceRefs{Services: admission.ServiceRefs{Provider: ours}})
	if len(errs) != 1 {
		t.Errorf("a provider of another name whose sets we handle speaks our words, but: %v", errs)
	}
}

func TestServiceWarnings(t *testing.T) {
	m := mcs(t, "{provider: {name: mine}, reload: true, services: [{name: a, template: x, templateChain: c, dependsOn: [{name: b}]}, {name: b, template: x, disable: true}]}")
	m.Spec.DependsOn = []string{"later"}
	got := admission.MultiClusterServiceWarnings(kcm.MultiClusterServiceKind, m.Spec, admission.MultiClusterServiceRefs{Services: admission.ServiceRefs{Namespace: "kcm-system", MayCome: true}})
	want := []string{
		"service default/a waits: ServiceTemplate x does not exist in namespace kcm-system",
		"service default/a waits: ServiceTemplateChain c does not exist in namespace kcm-system",
		"service default/a depends on default/b, which is disabled: it waits until that is enabled, unless that is deployed already",
		"service default/b waits: ServiceTemplate x does not exist in namespace kcm-system",
		"the services wait: StateManagementProvider mine does not exist",
		"spec.serviceSpec.reload has no effect, since spec.serviceSpec.provider says how services are deployed: move it to spec.serviceSpec.provider.config",
		"spec.dependsOn: MultiClusterService later does not exist: nothing is deployed before it is",
		"spec.clusterSelector is empty, which selects no cluster",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("What is accepted and waits is worth a word (-want +got).\n%s", diff)
	}
}

func TestRunningTemplates(t *testing.T) {
	sets := []kcm.ServiceSet{*from[kcm.ServiceSet](t, `
spec: {cluster: a, provider: {}, services: [{name: web, namespace: default, template: w2}]}
status: {deployed: false, services: [{name: web, namespace: default, template: w1, state: Deployed, type: Helm, lastStateTransitionTime: null}, {name: old, namespace: x, template: o1, state: Deleted, type: Helm, lastStateTransitionTime: null}]}
`)}
	if diff := cmp.Diff(map[string][]string{"default/web": {"w2", "w1"}}, admission.RunningTemplates(sets)); diff != "" {
		t.Errorf("What is on its way counts, and what is deployed, but nothing that is gone (-want +got).\n%s", diff)
	}
	for template, want := range map[string]bool{"w1": true, "w2": true, "o1": false} {
		if got := admission.ServiceSetHas(&sets[0], template); got != want {
			t.Errorf("ServiceSetHas(%s) = %v, want %v", template, got, want)
		}
	}
}

// FuzzServiceGraph makes dependencies of services out of bytes. A circle is reported exactly
// where none of the services could be first, and it is one.
func FuzzServiceGraph(f *testing.F) {
	for _, seed := range []string{"", "\x01", "\x01\x12\x20", "\x01\x12\x23\x30\x44", "\x01\x10\x23\x32"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, edges []byte) {
		names := strings.Split("abcdefghijklmnop", "")
		services, needs := make([]kcm.Service, len(names)), map[string][]string{}
		for i, name := range names {
			services[i] = kcm.Service{Name: name, Template: "t"}
		}
		for _, e := range edges {
			i, j := int(e>>4), int(e&15)
			services[i].DependsOn = append(services[i].DependsOn, kcm.ServiceDependsOn{Name: names[j]})
			needs["default/"+names[i]] = append(needs["default/"+names[i]], "default/"+names[j])
		}
		errs := admission.ValidateServices(services, field.NewPath("services"), nil)
		if (len(errs) > 0) == orderable(names, needs) {
			t.Fatalf("errors %v, but dependencies %v", errs, needs)
		}
		for _, e := range errs {
			around := strings.Split(e.BadValue.(string), " -> ")
			for i := range around[1:] {
				if !slices.Contains(needs[around[i]], around[i+1]) {
					t.Fatalf("no dependency leads from %s to %s", around[i], around[i+1])
				}
			}
			if around[0] != around[len(around)-1] {
				t.Fatalf("%v is no circle", around)
			}
		}
	})
}

// orderable says whether all can be deployed one after the other.
func orderable(names []string, needs map[string][]string) bool {
	left := map[string]bool{}
	for _, n := range names {
		left["default/"+n] = true
	}
	for {
		before := len(left)
		for _, n := range slices.Sorted(maps.Keys(left)) {
			if !slices.ContainsFunc(needs[n], func(on string) bool { return left[on] }) {
				delete(left, n)
			}
		}
		if len(left) == 0 || len(left) == before {
			return len(left) == 0
		}
	}
}

// FuzzServiceStep makes a chain out of bytes. A change of the template is refused exactly where
// no steps lead there.
func FuzzServiceStep(f *testing.F) {
	f.Add([]byte("\x01\x12\x20"), byte(0x02))
	f.Add([]byte("\x01\x10\x23"), byte(0x03))
	f.Add([]byte(""), byte(0x11))
	f.Fuzz(func(t *testing.T, edges []byte, change byte) {
		names := strings.Split("abcdefghijklmnop", "")
		chain, reach := &kcm.ServiceTemplateChain{}, [16][16]bool{}
		for _, n := range names {
			chain.Spec.SupportedTemplates = append(chain.Spec.SupportedTemplates, kcm.SupportedTemplate{Name: n})
		}
		for _, e := range edges {
			s := &chain.Spec.SupportedTemplates[e>>4]
			s.AvailableUpgrades = append(s.AvailableUpgrades, kcm.AvailableUpgrade{Name: names[e&15]})
			reach[e>>4][e&15] = true
		}
		for k := range 16 {
			for i := range 16 {
				for j := range 16 {
					reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
				}
			}
		}
		web := func(template string) *kcm.MultiClusterService {
			m := &kcm.MultiClusterService{}
			m.Spec.ServiceSpec.Services = []kcm.Service{{Name: "web", Template: template, TemplateChain: "c"}}
			return m
		}
		refs := admission.MultiClusterServiceRefs{Services: admission.ServiceRefs{MayCome: true, Chains: map[string]*kcm.ServiceTemplateChain{"c": chain}}}
		from, to := change>>4, change&15
		errs := admission.ValidateMultiClusterService(web(names[to]), web(names[from]), refs)
		if allowed := from == to || reach[from][to]; allowed != (len(errs) == 0) {
			t.Fatalf("from %s to %s along %v: %v", names[from], names[to], chain.Spec.SupportedTemplates, errs)
		}
		circle := false
		for i := range 16 {
			circle = circle || reach[i][i]
		}
		if warned := len(admission.ChainWarnings(&chain.Spec)) > 0; warned != circle {
			t.Fatalf("circle %v, warned %v: %v", circle, warned, chain.Spec.SupportedTemplates)
		}
	})
}

// FuzzServiceConfig judges any configuration: whatever is wrong has a path in it and a next step.
func FuzzServiceConfig(f *testing.F) {
	f.Add(`{"syncMode":"DryRun","driftIgnore":[{"labelSelector":"a in (b)"}],"patches":[{"patch":"[{op: add, path: /a, value: 1}]"}]}`)
	f.Add(`{"driftExclusions":[{"paths":["/a~1b"],"target":{"name":"["}}],"priority":1e3,"x":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, config string) {
		m := &kcm.MultiClusterService{}
		m.Spec.ServiceSpec.Provider.Config = &kcm.JSON{Raw: []byte(config)}
		for _, e := range admission.ValidateMultiClusterService(m, nil, admission.MultiClusterServiceRefs{}) {
			if !strings.HasPrefix(e.Field, "spec.serviceSpec.provider.config") || e.Error() == "" {
				t.Errorf("%v", e)
			}
		}
	})
}
