package admission_test

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

func TestMultiClusterServices(t *testing.T) {
	mcs := func(name string, needs ...string) *kcm.MultiClusterService {
		return &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: kcm.MultiClusterServiceSpec{DependsOn: needs}}
	}
	others := admission.MultiClusterServiceRefs{Others: map[string][]string{"a": {"b"}, "b": {"c"}, "x": {"y"}, "y": {"x"}}}
	none := admission.MultiClusterServiceRefs{}
	bad := mcs("s")
	bad.Spec.ClusterSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}
	deletion := func(name string) verdict {
		return verdict{errs: admission.ValidateMultiClusterServiceDeletion(kcm.MultiClusterServiceKind, name, others.Others)}
	}
	check(t, []verdict{
		{"Later", "What it depends on may come later, in the same delivery.", admission.ValidateMultiClusterService(mcs("n", "later"), nil, others), nil},
		{"Self", "It could never be first.", admission.ValidateMultiClusterService(mcs("n", "n"), nil, none), []string{"spec.dependsOn[0]: cannot depend on itself"}},
		{"Nothing", "There is no such name.", admission.ValidateMultiClusterService(mcs("n", ""), nil, none), []string{"spec.dependsOn[0]: name a MultiClusterService"}},
		{"Circle", "None could be first.", admission.ValidateMultiClusterService(mcs("c", "a"), nil, others), []string{"spec.dependsOn: c -> a -> b -> c"}},
		{"CircleBehindAnother", "A circle of others does not hide its own.", admission.ValidateMultiClusterService(mcs("c", "x", "a"), nil, others), []string{"spec.dependsOn: c -> a -> b -> c"}},
		{"CircleOfOthersOnly", "It only leads to the circle, which is not its fault.", admission.ValidateMultiClusterService(mcs("n", "x"), nil, others), nil},
		{"Mended", "Its old dependencies, which others still show, do not count.", admission.ValidateMultiClusterService(mcs("x"), mcs("x", "y"), others), nil},
		{"Selector", "It would match nothing for ever.", admission.ValidateMultiClusterService(bad, nil, none), []string{"spec.clusterSelector: label selector"}},
		{"Needed", "Others wait for it.", deletion("b").errs, []string{"metadata.name: in use by MultiClusterService a"}},
		{"NotNeeded", "Nobody waits for it, and one on its way out is not listed.", deletion("a").errs, nil},
	})
}

func TestNamespacedMultiClusterServices(t *testing.T) {
	nmcs := func(spec string) *statev1.NamespacedMultiClusterService {
		return from[statev1.NamespacedMultiClusterService](t, "metadata: {name: m, namespace: team}\nspec: "+spec)
	}
	refs := admission.MultiClusterServiceRefs{
		Others: map[string][]string{"a": {"m"}},
		Services: admission.ServiceRefs{Namespace: "team", MayCome: true, Templates: map[string]*kcm.ServiceTemplate{
			"local": from[kcm.ServiceTemplate](t, "metadata: {name: local}\nspec: {resources: {deploymentType: Local, localSourceRef: {kind: ConfigMap, name: x}}}"),
		}},
	}
	row := func(name, why, spec string, want ...string) verdict {
		return verdict{name, why, admission.ValidateNamespacedMultiClusterService(nmcs(spec), nil, refs), want}
	}
	check(t, []verdict{
		row("Good", "Its own namespace, named or not.", "{dependsOn: [later], serviceSpec: {provider: {config: {policyRefs: [{kind: Secret, name: x, namespace: team}, {kind: Secret, name: x, namespace: '{{ .Cluster.metadata.namespace }}'}]}}, services: [{name: a, template: x}]}}"),
		row("SelfManagement", "The management cluster is not the team's.", "{serviceSpec: {provider: {selfManagement: true}}}", "spec.serviceSpec.provider.selfManagement: do not go to the management cluster"),
		row("LocalTemplate", "So would a template that is applied there.", "{serviceSpec: {services: [{name: a, template: local}]}}", "spec.serviceSpec.services[0].template: is applied to the management cluster"),
		row("Circle", "None could be first.", "{dependsOn: [a]}", "spec.dependsOn: m -> a -> m"),
		row("OtherNamespace", "It depends on its own kind in its own namespace.", "{dependsOn: [other/a]}", "spec.dependsOn[0]: of the same namespace"),
		row("Services", "They are judged as everywhere.", "{serviceSpec: {services: [{name: a, template: x, dependsOn: [{name: b}]}]}}", "spec.serviceSpec.services[0].dependsOn[0]: no such service"),
		row("Selector", "It would match nothing for ever.", "{clusterSelector: {matchExpressions: [{key: a, operator: Near}]}}", "spec.clusterSelector: label selector"),
		row("ForeignObjects", "The controller could read them, the team may not.",
			"{serviceSpec: {provider: {config: {templateResourceRefs: [{identifier: a, resource: {apiVersion: v1, kind: Secret, name: x, namespace: kcm-system}}], policyRefs: [{kind: Secret, name: x, namespace: kcm-system}, {kind: Secret, name: x, deploymentType: Local}, {remoteURL: {url: 'https://x/y', secretRef: {name: x, namespace: kcm-system}}}]}}}}",
			"spec.serviceSpec.provider.config.templateResourceRefs[0].resource.namespace: namespace kcm-system is not yours", "spec.serviceSpec.provider.config.policyRefs[0].namespace: not yours", "spec.serviceSpec.provider.config.policyRefs[1].deploymentType: write Remote",
			"spec.serviceSpec.provider.config.policyRefs[2].remoteURL.secretRef.namespace: not yours"),
		row("ForeignObjectsDeprecated", "The deprecated fields are no way around.",
			"{serviceSpec: {templateResourceRefs: [{identifier: a, resource: {apiVersion: v1, kind: Secret, name: x, namespace: kcm-system}}]}}", "spec.serviceSpec.templateResourceRefs[0].resource.namespace: not yours"),
		{"Unchanged", "A label can be changed though the spec is from older days.", admission.ValidateNamespacedMultiClusterService(nmcs("{dependsOn: [m]}"), nmcs("{dependsOn: [m]}"), refs), nil},
		{"Needed", "Others wait for it.", admission.ValidateMultiClusterServiceDeletion(statev1.NamespacedMultiClusterServiceKind, "m", refs.Others), []string{"metadata.name: in use by NamespacedMultiClusterService a"}},
	})
}

func TestRollouts(t *testing.T) {
	rollout := func(namespace, spec string) *statev1.Rollout {
		return from[statev1.Rollout](t, "metadata: {name: r, namespace: "+namespace+"}\nspec: "+spec)
	}
	refs := admission.RolloutRefs{SystemNamespace: "kcm-system", Others: []statev1.Rollout{
		*but(rollout("team", "{subject: {kind: NamespacedMultiClusterService, name: taken}, waves: [{name: all}]}"), func(r *statev1.Rollout) { r.Name = "other" }),
	}}
	in := func(name, why, namespace, spec string, want ...string) verdict {
		return verdict{name, why, admission.ValidateRollout(rollout(namespace, spec), nil, refs), want}
	}
	waves := func(name, why, waves string, want ...string) verdict {
		return in(name, why, "team", "{subject: {kind: ClusterDeployment}, waves: "+waves+"}", want...)
	}
	check(t, []verdict{
		in("Good", "Canaries, then a region by halves, then the rest.", "kcm-system",
			"{subject: {kind: MultiClusterService, name: base}, maxFailures: 0, waves: [{name: canary, count: 2, soak: 10m}, {name: eu, selector: {matchLabels: {region: eu}}, maxUnavailable: 50%}, {name: rest, maxUnavailable: 3}]}"),
		in("Clusters", "The services of ClusterDeployments, all or some.", "team", "{subject: {kind: ClusterDeployment, selector: {matchLabels: {env: dev}}}, waves: [{name: all}]}"),
		in("WrongNamespace", "A MultiClusterService belongs to the platform, and so does its Rollout.", "team", "{subject: {kind: MultiClusterService, name: base}, waves: [{name: all}]}",
			"spec.subject.kind: is made in namespace kcm-system"),
		in("NoName", "One of many.", "team", "{subject: {kind: NamespacedMultiClusterService}, waves: [{name: all}]}", "spec.subject.name: name a NamespacedMultiClusterService"),
		in("Name", "It is about all of them.", "team", "{subject: {kind: ClusterDeployment, name: dev}, waves: [{name: all}]}", "spec.subject.name: take the name out"),
		in("SubjectSelector", "It would have no effect.", "team", "{subject: {kind: NamespacedMultiClusterService, name: a, selector: {}}, waves: [{name: all}]}", "spec.subject.selector: take it out"),
		in("Kind", "Nobody's services.", "team", "{subject: {kind: Deployment, name: a}, waves: [{name: all}]}", "spec.subject.kind: ClusterDeployment"),
		in("Taken", "Two would disagree which cluster is next.", "team", "{subject: {kind: NamespacedMultiClusterService, name: taken}, waves: [{name: all}]}", "spec.subject.name: Rollout other is about the same"),
		in("BadSubjectSelector", "It would select nothing.", "team", "{subject: {kind: ClusterDeployment, selector: {matchExpressions: [{key: a, operator: Near}]}}, waves: [{name: all}]}", "spec.subject.selector: label selector"),
		waves("NoWaves", "Nothing says in which order.", "[]", "spec.waves: one wave"),
		waves("Twice", "Which of the two is meant?", "[{name: a, count: 1}, {name: a}, {name: ''}]", "spec.waves[1].name: Duplicate", "spec.waves[2].name: give the wave a name"),
		waves("Starved", "The first wave leaves nothing to the second.", "[{name: a}, {name: b, selector: {matchLabels: {x: y}}}]", "spec.waves[1]: no cluster is left for this wave, since wave a takes all"),
		waves("Selector", "It would select nothing.", "[{name: a, selector: {matchExpressions: [{key: a, operator: Near}]}}]", "spec.waves[0].selector: label selector"),
		waves("Numbers", "No cluster would ever have its turn.", "[{name: a, count: 0, maxUnavailable: 0%}, {name: b, count: -1, maxUnavailable: 101%}, {name: c, count: half, soak: -1s}]",
			"spec.waves[0].count: write 1 at least", "spec.waves[0].maxUnavailable: write 1 at least", "spec.waves[1].count: write 1 at least", "spec.waves[1].maxUnavailable: 100% at most", "spec.waves[2].count: a number such as 1, or percent", "spec.waves[2].soak: a duration"),
		in("MaxFailures", "None is allowed to fail is sensible, less is not.", "team", "{subject: {kind: ClusterDeployment}, maxFailures: -1, waves: [{name: all}]}", "spec.maxFailures: write 0 at least"),
		in("Revisions", "They are words as the status shows them.", "team", "{subject: {kind: ClusterDeployment}, abort: 'the last one', waves: [{name: all}]}", "spec.abort: as status.revision shows it"),
		in("Both", "It cannot go on and be taken back.", "team", "{subject: {kind: ClusterDeployment}, abort: abc, retry: abc, waves: [{name: all}]}", "spec.retry: spec.abort names the same revision"),
		{"Unchanged", "A label can be changed though the spec is from older days.", admission.ValidateRollout(rollout("team", "{subject: {kind: X}, waves: []}"), rollout("team", "{subject: {kind: X}, waves: []}"), refs), nil},
	})
}

func TestStateManagementProviders(t *testing.T) {
	provider := func(spec string) *kcm.StateManagementProvider {
		return from[kcm.StateManagementProvider](t, "metadata: {name: mine}\nspec: "+spec)
	}
	compile := func(rule string) error {
		if rule == "self." {
			return errors.New("syntax error")
		}
		return nil
	}
	const adapter = "adapter: {apiVersion: apps/v1, kind: Deployment, name: a, namespace: b, readinessRule: 'self.status.ready'}"
	row := func(name, why, spec string, want ...string) verdict {
		return verdict{name, why, admission.ValidateStateManagementProvider(provider(spec), nil, compile), want}
	}
	check(t, []verdict{
		row("Good", "An adapter, a provisioner that is ready as soon as it is there, and its kinds.",
			"{selector: {matchLabels: {a: b}}, "+adapter+", provisioner: [{apiVersion: v1, kind: ConfigMap, name: x, namespace: y, readinessRule: ''}], provisionerCRDs: [{group: x.y, version: v1, resources: [things]}]}"),
		row("Selector", "No ServiceSet would be its own.", "{selector: {matchExpressions: [{key: a, operator: Near}]}, "+adapter+"}", "spec.selector: label selector"),
		row("NoSelector", "No ServiceSet would be its own.", "{"+adapter+"}", "spec.selector: the labels by which the engine knows"),
		row("Rules", "They could never be evaluated.", "{selector: {}, adapter: {apiVersion: v1, kind: X, name: x, namespace: '', readinessRule: 'self.'}, provisioner: [{apiVersion: v1, kind: X, name: '', namespace: '', readinessRule: 'self.'}]}",
			"spec.adapter.readinessRule: syntax error", "spec.provisioner[0].name: the name of the object", "spec.provisioner[0].readinessRule: syntax error"),
		row("Kinds", "Nothing could be looked for.", "{selector: {}, "+adapter+", provisionerCRDs: [{group: '', version: '', resources: []}, {group: x, version: v1, resources: ['']}]}",
			"spec.provisionerCRDs[0].group: name the group", "spec.provisionerCRDs[0].version: name the version", "spec.provisionerCRDs[0].resources: list the plural", "spec.provisionerCRDs[1].resources[0]: plural name"),
		{"InUse", "Nobody would take the services away.", admission.ValidateStateManagementProviderDeletion([]string{"MultiClusterService a"}), []string{"metadata.name: the StateManagementProvider is in use by MultiClusterService a"}},
	})
	named := kcm.ServiceSpec{Services: []kcm.Service{{Name: "a"}}}
	if !admission.NamesProvider(named, kcm.DefaultStateManagementProviderName) || admission.NamesProvider(kcm.ServiceSpec{}, kcm.DefaultStateManagementProviderName) {
		t.Error("services that name no provider have the built-in one, and no services have none")
	}
}
