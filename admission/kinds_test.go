package admission_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func TestTemplates(t *testing.T) {
	service := func(spec string) *kcm.ServiceTemplate {
		return from[kcm.ServiceTemplate](t, "metadata: {name: s, namespace: team}\nspec: "+spec)
	}
	provider := func(contracts string) *kcm.ProviderTemplate {
		return from[kcm.ProviderTemplate](t, "spec: {helm: {chartSpec: {chart: c}}, capiContracts: "+contracts+"}")
	}
	check(t, []verdict{
		{"ChartRefKind", "Only a HelmChart gives a chart.",
			admission.ValidateClusterTemplate(from[kcm.ClusterTemplate](t, "spec: {helm: {chartRef: {kind: OCIRepository, name: x}}}"), nil),
			[]string{"spec.helm.chartRef.kind: HelmChart"}},
		{"ClusterContract", "A cluster needs one contract of each provider.",
			admission.ValidateClusterTemplate(from[kcm.ClusterTemplate](t, "spec: {helm: {}, k8sVersion: newest, providerContracts: {infrastructure-x: v1beta1_v1beta2}}"), nil),
			[]string{"spec.providerContracts[infrastructure-x]: one contract", "spec.k8sVersion: v1.36.4"}},
		{"ProviderContracts", "A provider may implement several.", admission.ValidateProviderTemplate(provider("{v1beta1: v1beta1_v1beta2, v1beta2: ''}"), nil), nil},
		{"BadProviderContracts", "Words that nobody could match.", admission.ValidateProviderTemplate(provider("{beta: v1beta1, v1beta1: 'v1beta1,v1beta2'}"), nil),
			[]string{"spec.capiContracts[beta]: contract of Cluster API", "spec.capiContracts[v1beta1]: underscores"}},
		{"Constraint", "A range that cannot be read would be passed over.", admission.ValidateServiceTemplate(service("{helm: {chartSpec: {chart: c}}, k8sConstraint: new}"), nil),
			[]string{"spec.k8sConstraint: range"}},
		{"ForeignSecret", "It would never be found.", admission.ValidateServiceTemplate(service("{kustomize: {deploymentType: Remote, localSourceRef: {kind: Secret, name: x, namespace: other}}}"), nil),
			[]string{"spec.kustomize.localSourceRef.namespace: copy it there"}},
		{"ForeignSource", "Flux' kinds may be elsewhere.", admission.ValidateServiceTemplate(service("{resources: {deploymentType: Remote, localSourceRef: {kind: Bucket, name: x, namespace: other}}}"), nil), nil},
		{"InUse", "Those who use it could not be upgraded or read any more.", admission.ValidateTemplateDeletion([]string{"ClusterDeployment b/b", "ClusterDeployment a/a", "ClusterDeployment a/a"}),
			[]string{"metadata.name: template deletion is forbidden: the template is in use by ClusterDeployment a/a, ClusterDeployment b/b:"}},
		{"Free", "Nobody uses it.", admission.ValidateTemplateDeletion(nil), nil},
	})
}

func TestDefaultHelmSpec(t *testing.T) {
	got := from[kcm.HelmSpec](t, "chartSpec: {chart: c}")
	admission.DefaultHelmSpec(got)
	want := from[kcm.HelmSpec](t, "chartSpec: {chart: c, interval: 10m0s, sourceRef: {kind: HelmRepository, name: kcm-templates}}")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("A chart that names no source comes from the repository of the templates.\n%s", diff)
	}
	own := from[kcm.HelmSpec](t, "chartSpec: {chart: c, interval: 1m0s, sourceRef: {kind: GitRepository, name: mine}}")
	kept := own.DeepCopy()
	admission.DefaultHelmSpec(kept)
	if diff := cmp.Diff(own, kept); diff != "" {
		t.Errorf("What the author has written stays.\n%s", diff)
	}
	admission.DefaultHelmSpec(nil)
}

func TestChains(t *testing.T) {
	chain := func(meta, templates string) *kcm.ClusterTemplateChain {
		return from[kcm.ClusterTemplateChain](t, "metadata: {name: c, "+meta+"}\nspec: {supportedTemplates: "+templates+"}")
	}
	refs := admission.ChainRefs{SystemNamespace: "kcm-system", Templates: map[string]bool{"a": true, "b": true}}
	validate := func(meta, templates string) verdict {
		return verdict{errs: admission.ValidateClusterTemplateChain(chain(meta, templates), nil, refs)}
	}
	row := func(name, why string, v verdict, want ...string) verdict { return verdict{name, why, v.errs, want} }
	check(t, []verdict{
		row("Good", "Both templates exist and the step is listed.", validate("namespace: team", "[{name: a, availableUpgrades: [{name: b}]}, {name: b}]")),
		row("Unlisted", "A step into the unknown.", validate("namespace: team", "[{name: a, availableUpgrades: [{name: c}]}]"),
			"spec.supportedTemplates[0].availableUpgrades[0].name: template c is allowed for upgrade but is not present in the list of '.spec.supportedTemplates'"),
		row("SomeVersions", "Half of the steps could not be ordered.", validate("namespace: team", "[{name: a, availableUpgrades: [{name: a, version: '1'}, {name: b}]}, {name: b}]"),
			"spec.supportedTemplates[0].availableUpgrades: all upgrades of a template or to none"),
		row("Twice", "Which of the two entries counts?", validate("namespace: team", "[{name: a}, {name: a}]"), "spec.supportedTemplates[1].name: Duplicate"),
		row("NoName", "A template without a name is none.", validate("namespace: team", "[{}]"), "spec.supportedTemplates[0].name: name a template"),
		row("NoTemplate", "The template does not exist.", validate("namespace: team", "[{name: x}]"), "spec.supportedTemplates[0].name: does not exist in namespace team"),
		row("Managed", "A managed chain brings its templates along.", validate("namespace: team, labels: {k0rdent.mirantis.com/managed: 'true'}", "[{name: x}]")),
		row("ManagedSystem", "In the system namespace there is nowhere to bring them from.", validate("namespace: kcm-system, labels: {k0rdent.mirantis.com/managed: 'true'}", "[{name: x}]"),
			"spec.supportedTemplates[0].name: does not exist"),
	})
	around := chain("namespace: team", "[{name: a, availableUpgrades: [{name: b}]}, {name: b, availableUpgrades: [{name: a}]}]")
	if errs := admission.ValidateClusterTemplateChain(around, nil, refs); len(errs) > 0 {
		t.Errorf("k0rdent accepts a circle, and so do we, but: %v", errs)
	}
	if got := admission.ChainWarnings(&around.Spec); len(got) != 1 || !strings.Contains(got[0], "a -> b -> a") {
		t.Errorf("the author of a circle should know the way around, but the warnings are %q", got)
	}
	if got := admission.ChainWarnings(&chain("namespace: team", "[{name: a, availableUpgrades: [{name: b}]}, {name: b}]").Spec); got != nil {
		t.Errorf("there is no circle, but the warnings are %q", got)
	}
}

func TestCredentials(t *testing.T) {
	credential := func(spec string) *kcm.Credential {
		return from[kcm.Credential](t, "metadata: {name: c, namespace: team}\nspec: "+spec)
	}
	check(t, []verdict{
		{"Good", "The identity may come later.", admission.ValidateCredential(credential("{identityRef: {apiVersion: v1, kind: Secret, name: x, namespace: y}}"), nil), nil},
		{"None", "Nothing is pointed to.", admission.ValidateCredential(credential("{}"), nil), []string{"spec.identityRef: point to"}},
		{"Half", "It could never be found.", admission.ValidateCredential(credential("{identityRef: {kind: Secret}}"), nil),
			[]string{"spec.identityRef.apiVersion: v1 for a Secret", "spec.identityRef.name: the name", "spec.identityRef.namespace: a Secret has a namespace"}},
		{"RegionAppears", "Its clusters live on the management cluster.", admission.ValidateCredential(credential("{region: eu, identityRef: {apiVersion: v1, kind: X, name: x}}"), credential("{identityRef: {apiVersion: v1, kind: X, name: x}}")),
			[]string{"spec.region: its clusters live in the management cluster"}},
		{"RegionDisappears", "Removing it is the first half of changing it.", admission.ValidateCredential(credential("{identityRef: {apiVersion: v1, kind: X, name: x}}"), credential("{region: eu, identityRef: {apiVersion: v1, kind: X, name: x}}")),
			[]string{"spec.region: its clusters live in region eu"}},
		{"Unchanged", "A label can be changed though the spec is from older days.", admission.ValidateCredential(credential("{}"), credential("{}")), nil},
	})
}

func TestManagement(t *testing.T) {
	release := from[kcm.Release](t, `
metadata: {name: r1}
spec: {version: 1.0.0, kcm: {template: kcm-1}, capi: {template: capi-1}, providers: [{name: aws, template: aws-1}, {name: local, template: local-1}]}
`)
	refs := admission.ComponentRefs{
		Release: release, OldRelease: release,
		Templates: map[string]*kcm.ProviderTemplate{
			"capi-1": from[kcm.ProviderTemplate](t, "metadata: {name: capi-1}\nstatus: {valid: true, capiContracts: {v1beta1: '', v1beta2: ''}}"),
			"aws-1":  from[kcm.ProviderTemplate](t, "metadata: {name: aws-1}\nstatus: {valid: true, providers: [infrastructure-aws], capiContracts: {v1beta2: v1beta2}}"),
			"aws-3":  from[kcm.ProviderTemplate](t, "metadata: {name: aws-3}\nstatus: {valid: true, providers: [control-plane-aws]}"),
			"aws-4":  from[kcm.ProviderTemplate](t, "metadata: {name: aws-4}"),
			"aws-2":  from[kcm.ProviderTemplate](t, "metadata: {name: aws-2}\nstatus: {valid: true, providers: [infrastructure-aws], capiContracts: {v1beta3: v1beta3}}"),
		},
		Uses: []admission.ProviderUse{{Provider: "infrastructure-aws", Contract: "v1beta2", Clusters: []string{"team/dev"}}},
	}
	management := func(spec string) *kcm.Management {
		return from[kcm.Management](t, "metadata: {name: kcm}\nspec: "+spec)
	}
	good := management("{release: r1, providers: [{name: aws}, {name: local}]}")
	unready := refs
	unready.Release = but(release, func(r *kcm.Release) {
		r.Status.Conditions = []metav1.Condition{{Type: kcm.TemplatesValidCondition, Status: "False", Message: "aws-1 is missing"}}
	})
	smaller := refs
	smaller.Release = but(release, func(r *kcm.Release) { r.Name, r.Spec.Providers = "r2", r.Spec.Providers[1:] })
	check(t, []verdict{
		{"Good", "All providers are in the release.", admission.ValidateManagement(good, nil, refs), nil},
		{"Name", "There is one.", admission.ValidateManagement(but(good, func(m *kcm.Management) { m.Name = "mine" }), nil, refs), []string{"metadata.name: kcm"}},
		{"NoRelease", "There is nothing to install.", admission.ValidateManagement(good, nil, admission.ComponentRefs{}), []string{"spec.release: does not exist"}},
		{"BadRelease", "The release is known to be unusable.", admission.ValidateManagement(good, nil, unready), []string{"spec.release: aws-1 is missing"}},
		{"UnknownProvider", "Nobody knows where it comes from.", admission.ValidateManagement(management("{release: r1, providers: [{name: gcp}]}"), nil, refs), []string{"spec.providers[0].name: release r1 has no such provider"}},
		{"Twice", "Which of the two is meant?", admission.ValidateManagement(management("{release: r1, providers: [{name: aws}, {name: aws}]}"), nil, refs), []string{"spec.providers[1].name: Duplicate"}},
		{"Removed", "A cluster needs it.", admission.ValidateManagement(management("{release: r1, providers: [{name: local}]}"), good, refs), []string{"spec.providers: provider aws is required by team/dev"}},
		{"Hollowed", "The name stays, but what the cluster needs is gone.", admission.ValidateManagement(management("{release: r1, providers: [{name: aws, template: aws-3}, {name: local}]}"), good, refs),
			[]string{"spec.providers[aws]: ProviderTemplate aws-3 does not have infrastructure-aws, which is required by team/dev"}},
		{"Unchecked", "A template that is not checked yet is waited for.", admission.ValidateManagement(management("{release: r1, providers: [{name: aws, template: aws-4}, {name: local}]}"), good, refs), nil},
		{"LostByRelease", "The new release has no such provider, so it would go.", admission.ValidateManagement(management("{release: r2, providers: [{name: aws}, {name: local}]}"), good, smaller),
			[]string{"spec.providers[0].name: release r2 has no such provider"}},
		{"UnknownBefore", "What was unknown before does not block a change of something else.",
			admission.ValidateManagement(management("{release: r1, providers: [{name: gcp}, {name: aws}]}"), management("{release: r1, providers: [{name: gcp}, {name: aws}, {name: local}]}"), refs), nil},
		{"RemovedUnused", "No cluster needs it.", admission.ValidateManagement(management("{release: r1, providers: [{name: aws}]}"), good, refs), nil},
		{"Contracts", "Neither Cluster API nor the cluster could work with it.",
			admission.ValidateManagement(management("{release: r1, providers: [{name: aws, template: aws-2}, {name: local}]}"), good, refs),
			[]string{"spec.providers[aws]: core CAPI contract versions does not support v1beta3 version in the ProviderTemplate aws-2", "spec.providers[aws]: missing contract version v1beta2 for infrastructure-aws provider"}},
		{"Users", "Everything below it would be orphaned.", admission.ValidateManagementDeletion(admission.ManagementUsers{Regions: []string{"eu"}, Clusters: []string{"a/b", "a/c"}}),
			[]string{"metadata.name: management deletion is forbidden: there are still 1 Regions", "metadata.name: management deletion is forbidden: there are still 2 ClusterDeployments"}},
	})
}

func TestRegions(t *testing.T) {
	region := func(name, spec string) *kcm.Region {
		return from[kcm.Region](t, "metadata: {name: "+name+"}\nspec: "+spec)
	}
	refs := admission.RegionRefs{SystemNamespace: "kcm-system", Kubeconfig: true, Others: []kcm.Region{*region("us", "{kubeConfig: {name: us}}")}}
	none := refs
	none.Kubeconfig = false
	check(t, []verdict{
		{"Good", "The kubeconfig is there.", admission.ValidateRegion(region("eu", "{kubeConfig: {name: eu}}"), nil, refs), nil},
		{"NoSecret", "The cluster cannot be reached.", admission.ValidateRegion(region("eu", "{kubeConfig: {name: eu}}"), nil, none), []string{`spec.kubeConfig: no Secret with key "value" in namespace kcm-system`}},
		{"NoCluster", "The cluster does not exist.", admission.ValidateRegion(region("eu", "{clusterDeployment: {name: a, namespace: b}}"), nil, refs), []string{"spec.clusterDeployment.name: does not exist in namespace b"}},
		{"Shared", "Two regions would fight over one cluster.", admission.ValidateRegion(region("eu", "{kubeConfig: {name: us, key: value}}"), nil, refs), []string{"spec: Region us is on the same cluster"}},
		{"LongName", "It is a prefix of the names of components.", admission.ValidateRegion(region(strings.Repeat("a", 22), "{kubeConfig: {name: eu}}"), nil, refs), []string{"metadata.name: may not be more than 21"}},
		{"Swapped", "Everything in the region would be left behind.", admission.ValidateRegion(region("eu", "{clusterDeployment: {name: a, namespace: b}}"), region("eu", "{kubeConfig: {name: eu}}"), refs),
			[]string{"spec.kubeConfig: kubeConfig is immutable", "spec.clusterDeployment: clusterDeployment is immutable"}},
		{"SecretGoneLater", "What is named is looked at when it is named.", admission.ValidateRegion(region("eu", "{kubeConfig: {name: eu}, providers: [{name: x}]}"), region("eu", "{kubeConfig: {name: eu}}"), none), nil},
	})
}

func TestReleases(t *testing.T) {
	release := func(spec string) *kcm.Release { return from[kcm.Release](t, "metadata: {name: r}\nspec: "+spec) }
	check(t, []verdict{
		{"Good", "Every component has a template.", admission.ValidateRelease(release("{version: 1.11.0, kcm: {template: a}, capi: {template: b}, providers: [{name: x, template: c}]}"), nil), nil},
		{"Version", "Upgrades are ordered by it.", admission.ValidateRelease(release("{version: next, kcm: {template: a}, capi: {template: b}}"), nil), []string{"spec.version: semantic version"}},
		{"Holes", "A component without a template cannot be installed.", admission.ValidateRelease(release("{version: 1.0.0, kcm: {template: ''}, capi: {template: b}, providers: [{name: x, template: c}, {name: x, template: ''}]}"), nil),
			[]string{"spec.kcm.template: name a ProviderTemplate", "spec.providers[1].template: name a ProviderTemplate", "spec.providers[1].name: Duplicate"}},
	})
}

func TestAccessManagement(t *testing.T) {
	access := func(rules string) *kcm.AccessManagement {
		return from[kcm.AccessManagement](t, "metadata: {name: kcm}\nspec: {accessRules: "+rules+"}")
	}
	scopes := map[schema.GroupKind]admission.ResourceScope{
		{Group: kcm.GroupVersion.Group, Kind: "Credential"}: admission.NamespacedResource,
		{Kind: "Node"}: admission.ClusterResource,
	}
	check(t, []verdict{
		{"Good", "The group of our own kinds need not be written.", admission.ValidateAccessManagement(access("[{resources: [{kind: Credential, names: [a]}]}]"), nil, scopes), nil},
		{"Unknown", "There is nothing to copy.", admission.ValidateAccessManagement(access("[{resources: [{kind: Thing, apiGroup: x.y}]}]"), nil, scopes), []string{"spec.accessRules[0].resources[0].kind: does not serve this kind"}},
		{"KnownBefore", "A kind that is gone does not block a change of something else.", admission.ValidateAccessManagement(access("[{resources: [{kind: Thing, apiGroup: x.y}]}, {}]"), access("[{resources: [{kind: Thing, apiGroup: x.y}]}]"), scopes), nil},
		{"ClusterScoped", "It cannot be in a namespace.", admission.ValidateAccessManagement(access("[{resources: [{kind: Node}]}]"), nil, scopes), []string{"spec.accessRules[0].resources[0].kind: no namespace"}},
		{"Selectors", "They would match nothing.", admission.ValidateAccessManagement(access("[{targetNamespaces: {stringSelector: 'a in'}, resources: []}, {targetNamespaces: {list: [A]}}]"), nil, scopes),
			[]string{"spec.accessRules[0].targetNamespaces.stringSelector: selector such as", "spec.accessRules[1].targetNamespaces.list[0]: use lower case"}},
		{"Second", "There is one.", admission.ValidateAccessManagement(but(access("[]"), func(a *kcm.AccessManagement) { a.Name = "more" }), nil, scopes), []string{"metadata.name: kcm"}},
		{"Deletion", "The Management would only make it anew.", admission.ValidateAccessManagementDeletion(&kcm.Management{}), []string{"metadata.name: forbidden while Management"}},
		{"DeletionAfter", "Its Management goes too.", admission.ValidateAccessManagementDeletion(nil), nil},
	})
}

func TestDefaultAccessManagement(t *testing.T) {
	got := from[kcm.AccessManagementSpec](t, `
accessRules:
- resources: [{kind: Credential, names: [a]}, {kind: Secret, stringSelector: x=y}]
  credentials: [a, b]
  clusterTemplateChains: [c]
`)
	a := &kcm.AccessManagement{Spec: *got}
	admission.DefaultAccessManagement(a)
	want := from[kcm.AccessManagementSpec](t, `
accessRules:
- resources:
  - {apiGroup: k0rdent.mirantis.com, kind: Credential, names: [a, b]}
  - {kind: Secret, stringSelector: x=y}
  - {apiGroup: k0rdent.mirantis.com, kind: ClusterTemplateChain, names: [c]}
`)
	if diff := cmp.Diff(*want, a.Spec); diff != "" {
		t.Errorf("The deprecated lists move to resources, and nothing is listed twice.\n%s", diff)
	}
	again := a.DeepCopy()
	admission.DefaultAccessManagement(again)
	if diff := cmp.Diff(a, again); diff != "" {
		t.Errorf("Filling in twice is filling in once.\n%s", diff)
	}
}

func TestSchedules(t *testing.T) {
	tests := []struct {
		name, why, schedule string
		ok                  bool
	}{
		{"Nightly", "Five plain fields.", "0 3 * * *", true},
		{"Lists", "Lists, ranges, steps and words.", "*/15,3 0-6/2 1,15 jan-mar MON-fri", true},
		{"Word", "A word for a usual schedule.", "@daily", true},
		{"Every", "An interval.", "@every 1h30m", true},
		{"Zone", "A time zone before the fields.", "CRON_TZ=Europe/Berlin 0 3 * * *", true},
		{"NoZone", "There is no such place.", "TZ=Europe/Nowhere 0 3 * * *", false},
		{"Seconds", "Six fields are another dialect.", "0 0 3 * * *", false},
		{"Hour", "There is no hour 24.", "0 24 * * *", false},
		{"Backwards", "A range goes up.", "0 6-3 * * *", false},
		{"Step", "A step of zero never comes.", "*/0 * * * *", false},
		{"Unknown", "No such word.", "@often", false},
		{"Never", "An interval is positive.", "@every 0s", false},
	}
	var rows []verdict
	for _, tc := range tests {
		b := &kcm.ManagementBackup{Spec: kcm.ManagementBackupSpec{Schedule: tc.schedule}}
		var want []string
		if !tc.ok {
			want = []string{"spec.schedule: write five fields"}
		}
		rows = append(rows, verdict{tc.name, tc.why, admission.ValidateManagementBackup(b, nil), want})
	}
	check(t, append(rows,
		verdict{"Once", "No schedule means once.", admission.ValidateManagementBackup(&kcm.ManagementBackup{}, nil), nil},
		verdict{"Upgrade", "Without a schedule it has no effect, and k0rdent accepts it.",
			admission.ValidateManagementBackup(&kcm.ManagementBackup{Spec: kcm.ManagementBackupSpec{PerformOnManagementUpgrade: true}}, nil), nil}))
}

func TestClusterIPAMClaims(t *testing.T) {
	claim := func(spec string) *kcm.ClusterIPAMClaim {
		return from[kcm.ClusterIPAMClaim](t, "metadata: {name: c}\nspec: "+spec)
	}
	check(t, []verdict{
		{"Network", "A network and its gateway.", admission.ValidateClusterIPAMClaim(claim("{provider: in-cluster, nodeNetwork: {cidr: 10.0.0.0/24, gateway: 10.0.0.1, prefix: 24}}"), nil), nil},
		{"Addresses", "Addresses, ranges and networks.", admission.ValidateClusterIPAMClaim(claim("{provider: in-cluster, nodeNetwork: {ipAddresses: [10.0.0.1, 10.0.0.5-10.0.0.9, 'fd00::/64']}}"), nil), nil},
		{"Nothing", "There is nothing to hand out.", admission.ValidateClusterIPAMClaim(claim("{provider: in-cluster}"), nil), []string{"spec.nodeNetwork: nothing to hand out"}},
		{"Infoblox", "Infoblox takes one network.", admission.ValidateClusterIPAMClaim(claim("{provider: ipam-infoblox, nodeNetwork: {ipAddresses: [10.0.0.1]}}"), nil), []string{"spec.nodeNetwork.cidr: one network"}},
		{"Malformed", "Each part is named.", admission.ValidateClusterIPAMClaim(claim("{provider: in-cluster, nodeNetwork: {cidr: 10.0.0.0, gateway: x}, clusterNetwork: {ipAddresses: [10.0.0.9-10.0.0.5], prefix: 129}}"), nil),
			[]string{"spec.nodeNetwork.cidr: 10.0.0.0/24", "spec.nodeNetwork.gateway: an address", "spec.clusterNetwork.ipAddresses[0]: a range", "spec.clusterNetwork.prefix: at most 32"}},
		{"Names", "A name can be filled in.", admission.ValidateClusterIPAMClaim(claim("{provider: in-cluster, cluster: a, clusterIPAMRef: b, nodeNetwork: {cidr: 10.0.0.0/24}}"), claim("{provider: in-cluster, nodeNetwork: {cidr: 10.0.0.0/24}}")), nil},
		{"NamesDisappear", "Removing them is the first half of changing them.", admission.ValidateClusterIPAMClaim(claim("{provider: in-cluster, nodeNetwork: {cidr: 10.0.0.0/24}}"), claim("{provider: in-cluster, cluster: a, clusterIPAMRef: b, nodeNetwork: {cidr: 10.0.0.0/24}}")),
			[]string{"spec.cluster: Cluster reference is immutable once set", "spec.clusterIPAMRef: ClusterIPAM reference is immutable once set"}},
		{"Gateway", "Machines could not reach it.", admission.ValidateClusterIPAMClaim(claim("{provider: in-cluster, nodeNetwork: {cidr: 10.0.0.0/24, gateway: 10.0.1.1}}"), nil), []string{"spec.nodeNetwork.gateway: in network 10.0.0.0/24"}},
	})
}

func TestClusterAuthentications(t *testing.T) {
	authentication := func(conf string) *kcm.ClusterAuthentication {
		return from[kcm.ClusterAuthentication](t, "metadata: {name: a}\nspec: {authenticationConfiguration: "+conf+"}")
	}
	const issuer = "issuer: {url: https://issuer.example.org, audiences: [portico]}"
	check(t, []verdict{
		{"Good", "The API server accepts it.", admission.ValidateClusterAuthentication(authentication("{jwt: [{"+issuer+", claimMappings: {username: {claim: sub, prefix: 'oidc:'}}}]}"), nil), nil},
		{"Empty", "It says nothing.", admission.ValidateClusterAuthentication(&kcm.ClusterAuthentication{}, nil), []string{"spec.authenticationConfiguration: who may sign in"}},
		{"PlainHTTP", "Tokens could be forged.", admission.ValidateClusterAuthentication(authentication("{jwt: [{issuer: {url: 'http://x', audiences: [a]}, claimMappings: {username: {claim: sub, prefix: ''}}}]}"), nil),
			[]string{"spec.authenticationConfiguration.jwt[0].issuer.url: https"}},
		{"Expression", "An expression that does not compile would keep the API server from starting.", admission.ValidateClusterAuthentication(authentication("{jwt: [{"+issuer+", claimMappings: {username: {expression: 'claims.'}}}]}"), nil),
			[]string{"spec.authenticationConfiguration.jwt[0].claimMappings.username.expression: Syntax error"}},
		{"InUse", "The API servers of these clusters would have nothing to go by.", admission.ValidateDocumentDeletion(kcm.ClusterAuthenticationKind, []string{"ClusterDeployment a/b"}),
			[]string{"metadata.name: the ClusterAuthentication is in use by ClusterDeployment a/b"}},
	})
}

func TestClusterAuditPolicies(t *testing.T) {
	policy := func(body string) *kcm.ClusterAuditPolicy {
		return from[kcm.ClusterAuditPolicy](t, "metadata: {name: p}\nspec: {policy: "+body+"}")
	}
	check(t, []verdict{
		{"Good", "The API server accepts it.", admission.ValidateClusterAuditPolicy(policy("{rules: [{level: Metadata, resources: [{resources: [pods/*]}]}]}"), nil), nil},
		{"Level", "There is no such level.", admission.ValidateClusterAuditPolicy(policy("{rules: [{level: All}]}"), nil), []string{"spec.policy.rules[0].level: Metadata"}},
		{"Mixed", "A rule is for resources or for paths.", admission.ValidateClusterAuditPolicy(policy("{rules: [{level: None, nonResourceURLs: [/healthz], namespaces: [a]}]}"), nil), []string{"spec.policy.rules[0].nonResourceURLs: both"}},
	})
}
