package admission_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func cluster(t *testing.T) *kcm.ClusterDeployment {
	return from[kcm.ClusterDeployment](t, `
metadata: {name: dev, namespace: team}
spec:
  template: local-1
  credential: local
  config: {workers: 1}
  serviceSpec:
    services:
    - {name: web, namespace: web, template: web-1, templateChain: web, dependsOn: [{name: db}]}
    - {name: db, template: db-1, values: "size: 1"}
`)
}

func clusterRefs(t *testing.T) admission.ClusterDeploymentRefs {
	return admission.ClusterDeploymentRefs{
		Template: from[kcm.ClusterTemplate](t, `
metadata: {name: local-1, namespace: team, generation: 1}
spec: {helm: {}}
status: {valid: true, observedGeneration: 1, k8sVersion: v1.36.4, providers: [control-plane-hosted, infrastructure-local], providerContracts: {infrastructure-local: v1beta2}}
`),
		Credential: from[kcm.Credential](t, `
metadata: {name: local, namespace: team}
spec: {identityRef: {apiVersion: v1, kind: Secret, name: local, namespace: team}}
status: {ready: true}
`),
		Parent: &kcm.ComponentsStatus{
			AvailableProviders: []string{"control-plane-hosted", "infrastructure-internal", "infrastructure-local"},
			CAPIContracts:      map[string]kcm.Contracts{"infrastructure-local": {"v1beta2": "v1beta1_v1beta2"}},
		},
		Accepted: map[string][]string{"infrastructure-local": {"Secret"}},
		Services: admission.ServiceRefs{
			Namespace: "team",
			Templates: map[string]*kcm.ServiceTemplate{
				"web-1": from[kcm.ServiceTemplate](t, "metadata: {name: web-1, generation: 1}\nspec: {}\nstatus: {valid: true, observedGeneration: 1, k8sConstraint: '>=1.30'}"),
				"db-1":  from[kcm.ServiceTemplate](t, "metadata: {name: db-1, generation: 1}\nspec: {}\nstatus: {valid: false}"),
			},
			Chains: map[string]*kcm.ServiceTemplateChain{
				"web": from[kcm.ServiceTemplateChain](t, "metadata: {name: web}\nspec: {supportedTemplates: [{name: web-1}]}\nstatus: {valid: true}"),
			},
		},
	}
}

type clusterCase struct {
	name, why string
	change    func(*kcm.ClusterDeployment)
	world     func(*admission.ClusterDeploymentRefs)
	want      []string
}

func TestNewClusterDeployment(t *testing.T) {
	cases := []clusterCase{
		{name: "Good", why: "Nothing is wrong, and a service template that nobody judged yet is waited for."},
		{name: "LongName", why: "The name becomes that of a Helm release.",
			change: func(d *kcm.ClusterDeployment) { d.Name = strings.Repeat("a", 54) },
			want:   []string{"metadata.name: may not be more than 53"}},
		{name: "DottedName", why: "The name becomes the value of a label and part of a host name.",
			change: func(d *kcm.ClusterDeployment) { d.Name = "dev.eu" },
			want:   []string{"metadata.name: use lower case"}},
		{name: "NoTemplate", why: "There is nothing to make the cluster from.",
			world: func(w *admission.ClusterDeploymentRefs) { w.Template = nil },
			want:  []string{"spec.template: does not exist in namespace team"}},
		{name: "BadTemplate", why: "A template that was judged bad stays bad: its spec cannot change.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Template.Status.Valid, w.Template.Status.ValidationError = false, "no chart"
			},
			want: []string{"spec.template: no chart"}},
		{name: "UnjudgedTemplate", why: "What is not checked yet is waited for.",
			world: func(w *admission.ClusterDeploymentRefs) { w.Template.Status = kcm.ClusterTemplateStatus{} }},
		{name: "UnjudgedTemplateNoConfig", why: "Values cannot be filled in, and a cluster without the values that its author would have seen must not come up.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Config = nil },
			world:  func(w *admission.ClusterDeploymentRefs) { w.Template.Status = kcm.ClusterTemplateStatus{} },
			want:   []string{"spec.config: not checked yet"}},
		{name: "Config", why: "A chart takes a mapping.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Config = &kcm.JSON{Raw: []byte(`[1]`)} },
			want:   []string{"spec.config: mapping"}},
		{name: "Providers", why: "Without its providers the cluster would never come up.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Parent.AvailableProviders = []string{"infrastructure-internal"}
			},
			want: []string{"spec.template: one or more required providers are not deployed yet: [control-plane-hosted, infrastructure-local]"}},
		{name: "SilentParent", why: "A parent that has not reported anything is waited for.",
			world: func(w *admission.ClusterDeploymentRefs) { w.Parent = &kcm.ComponentsStatus{} }},
		{name: "Contracts", why: "The provider is of another generation.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Parent.CAPIContracts["infrastructure-local"] = kcm.Contracts{"v1beta1": "v1beta1"}
			},
			want: []string{"spec.template: [infrastructure-local v1beta2]"}},
		{name: "NoCredentialNamed", why: "Every cluster is made with an identity.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Credential = "" },
			want:   []string{"spec.credential: name a Credential"}},
		{name: "NoCredential", why: "The credential is not there.",
			world: func(w *admission.ClusterDeploymentRefs) { w.Credential = nil },
			want:  []string{"spec.credential: does not exist"}},
		{name: "BadCredential", why: "The identity is known to be missing.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Credential.Status.Conditions = []metav1.Condition{{Type: kcm.CredentialReadyCondition, Status: "False", Message: "no Secret"}}
			},
			want: []string{"spec.credential: not Ready: no Secret"}},
		{name: "Identity", why: "The provider cannot act with this kind of identity.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Accepted["infrastructure-local"] = []string{"AWSClusterStaticIdentity"}
			},
			want: []string{"spec.credential: infrastructure-local understands AWSClusterStaticIdentity"}},
		{name: "AdoptedIdentity", why: "An adopted cluster is reached with a kubeconfig, which is in a Secret.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Template.Status.Providers = []string{kcm.InternalProviderName}
				w.Credential.Spec.IdentityRef.Kind = "ConfigMap"
			},
			want: []string{"spec.credential: infrastructure-internal understands Secret"}},
		{name: "NoInfrastructure", why: "A template that names no infrastructure cannot be matched with an identity.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Template.Status.Providers = []string{"control-plane-hosted"}
			},
			want: []string{"spec.template: names no infrastructure provider"}},
		{name: "Documents", why: "What is named has to exist.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ClusterAuth, d.Spec.AuditPolicy, d.Spec.DataSource = "a", "b", "c"
				d.Spec.IPAMClaim.ClusterIPAMClaimRef = "d"
			},
			want: []string{"spec.clusterAuth: ClusterAuthentication does not exist", "spec.auditPolicy: ClusterAuditPolicy does not exist",
				"spec.dataSource: DataSource does not exist", "spec.ipamClaim.ref: ClusterIPAMClaim does not exist"}},
		{name: "ForeignClaim", why: "The claim belongs to another cluster.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.IPAMClaim.ClusterIPAMClaimRef = "c" },
			world: func(w *admission.ClusterDeploymentRefs) {
				w.IPAMClaim = &kcm.ClusterIPAMClaim{Spec: kcm.ClusterIPAMClaimSpec{Cluster: "other"}}
			},
			want: []string{`spec.ipamClaim.ref: the claim is for cluster "other"`}},
	}
	runClusterCases(t, cases, nil)
}

func TestServicesOfClusterDeployment(t *testing.T) {
	cases := []clusterCase{
		{name: "NoTemplate", why: "There is nothing to deploy.",
			world: func(w *admission.ClusterDeploymentRefs) { delete(w.Services.Templates, "web-1") },
			want:  []string{"spec.serviceSpec.services[0].template: does not exist"}},
		{name: "Disabled", why: "A service that is left alone needs nothing.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.ServiceSpec.Services[0].Disable = true },
			world:  func(w *admission.ClusterDeploymentRefs) { delete(w.Services.Templates, "web-1") }},
		{name: "Constraint", why: "The service does not work with this version.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Services.Templates["web-1"].Status.KubernetesConstraint = "<1.30"
			},
			want: []string{"spec.serviceSpec.services[0].template: the service needs Kubernetes <1.30, but the cluster has v1.36.4"}},
		{name: "NoChain", why: "Upgrades would have no way to go.",
			world: func(w *admission.ClusterDeploymentRefs) { delete(w.Services.Chains, "web") },
			want:  []string{"spec.serviceSpec.services[0].templateChain: does not exist"}},
		{name: "OtherChain", why: "The chain knows nothing of the template.",
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Services.Chains["web"].Spec.SupportedTemplates[0].Name = "x"
			},
			want: []string{"spec.serviceSpec.services[0].templateChain: does not list template web-1"}},
		{name: "LongHelmName", why: "Helm allows 53 characters for the name of a release.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services[0].Name = strings.Repeat("a", 54)
			},
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Services.Templates["web-1"].Spec.Helm = &kcm.HelmSpec{}
			},
			want: []string{"spec.serviceSpec.services[0].name: may not be more than 53"}},
		{name: "LongOtherName", why: "What is no Helm release may have a longer name.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services[0].Name = strings.Repeat("a", 63)
			}},
		{name: "TooLongName", why: "A label has 63 characters.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services[0].Name = strings.Repeat("a", 64)
			},
			want: []string{"spec.serviceSpec.services[0].name: 63 at most"}},
		{name: "Names", why: "Both become names on the cluster.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services[0].Name, d.Spec.ServiceSpec.Services[0].Namespace = "Web", "a.b"
			},
			want: []string{"spec.serviceSpec.services[0].name: use lower case", "spec.serviceSpec.services[0].namespace: use lower case"}},
		{name: "Values", why: "Values that are no YAML would fail at the engine, out of sight.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.ServiceSpec.Services[1].Values = "a: [" },
			want:   []string{"spec.serviceSpec.services[1].values: YAML mapping"}},
		{name: "Expressions", why: "Values with expressions become YAML at the engine.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services[1].Values = "{{ range .Items }}a: [{{ end }}"
			}},
		{name: "UnknownDependency", why: "It would wait for ever.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services[0].DependsOn[0].Namespace = "elsewhere"
			},
			want: []string{"spec.serviceSpec.services[0].dependsOn[0]: no such service"}},
		{name: "Circle", why: "None could be first.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services[1].DependsOn = []kcm.ServiceDependsOn{{Name: "web", Namespace: "web"}}
			},
			want: []string{"spec.serviceSpec.services: in a circle"}},
	}
	runClusterCases(t, cases, nil)
}

func TestChangedClusterDeployment(t *testing.T) {
	old := cluster(t)
	old.Status.AvailableUpgrades = []string{"local-2"}
	gone := func(w *admission.ClusterDeploymentRefs) { *w = admission.ClusterDeploymentRefs{} }
	cases := []clusterCase{
		{name: "MetadataOnly", why: "A finalizer can be taken away though everything that was named is gone.",
			change: func(d *kcm.ClusterDeployment) { d.Finalizers = []string{"x"} }, world: gone},
		{name: "Deleting", why: "Nothing keeps a deletion from going on.",
			change: func(d *kcm.ClusterDeployment) { d.DeletionTimestamp = &metav1.Time{}; d.Spec.Template = "x" }, world: gone},
		{name: "OtherField", why: "What was accepted before does not block a change of something else.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Config = &kcm.JSON{Raw: []byte(`{"workers":2}`)} }, world: gone},
		{name: "NewServiceOnly", why: "Only the service that is new is looked up.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Services = append(d.Spec.ServiceSpec.Services, kcm.Service{Name: "n", Template: "n-1"})
			},
			world: gone,
			want:  []string{"spec.serviceSpec.services[2].template: does not exist"}},
		{name: "Upgrade", why: "The chain leads there.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Template = "local-2" }},
		{name: "NoWay", why: "No chain leads there.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Template = "local-3" },
			want:   []string{"spec.template: cluster upgrade is forbidden: no chain leads from local-1 to local-3: use one of local-2"}},
		{name: "AnyWay", why: "The operator allows every way.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Template = "local-3" },
			world:  func(w *admission.ClusterDeploymentRefs) { w.AnyUpgrade = true }},
		{name: "OtherRegionCredentialGone", why: "Who replaces a credential may have deleted the old one first: the status knows where the cluster lives.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Credential = "eu" },
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Credential = w.Credential.DeepCopy()
				w.Credential.Spec.Region = "eu"
			},
			want: []string{"spec.credential: the credential belongs to region eu, but the cluster lives in the management cluster"}},
		{name: "SameRegionCredentialGone", why: "A credential can be replaced.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Credential = "newer" }},
		{name: "ProviderAppears", why: "The ServiceSet was made with the built-in provider, and would refuse every later change.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.ServiceSpec.Provider.Name = "flux" },
			want:   []string{"spec.serviceSpec.provider.name: belong to provider ksm-projectsveltos and cannot move to flux"}},
		{name: "ProviderSpeltOut", why: "An empty name means the built-in provider.",
			change: func(d *kcm.ClusterDeployment) {
				d.Spec.ServiceSpec.Provider.Name = kcm.DefaultStateManagementProviderName
			}},
		{name: "ConfigTakenAway", why: "The values of the template are filled in before; where they could not be, nothing must come up without.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Config = nil },
			world:  func(w *admission.ClusterDeploymentRefs) { w.Template.Status = kcm.ClusterTemplateStatus{} },
			want:   []string{"spec.config: not checked yet"}},
		{name: "ServiceStep", why: "The chain lists both templates, and no step between them.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.ServiceSpec.Services[0].Template = "web-2" },
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Services.Templates["web-2"] = w.Services.Templates["web-1"]
				w.Services.Chains["web"].Spec.SupportedTemplates = []kcm.SupportedTemplate{{Name: "web-1"}, {Name: "web-2"}}
			},
			want: []string{"spec.serviceSpec.services[0].template: chain web does not lead from web-1 to web-2: it leads nowhere from there"}},
		{name: "ServiceStepBack", why: "The step to web-1 was not taken yet: web-2 runs.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.ServiceSpec.Services[0].Template = "web-2" },
			world: func(w *admission.ClusterDeploymentRefs) {
				w.Services.Templates["web-2"] = w.Services.Templates["web-1"]
				w.Services.Running = map[string][]string{"web/web": {"web-2"}}
				w.Services.Chains["web"].Spec.SupportedTemplates = []kcm.SupportedTemplate{{Name: "web-1"}, {Name: "web-2"}}
			}},
		{name: "DataSource", why: "The state of the cluster is where it was.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.DataSource = "db" },
			world:  func(w *admission.ClusterDeploymentRefs) { w.DataSource = &kcm.DataSource{} },
			want:   []string{"spec.dataSource: cannot be added or removed after creation"}},
		{name: "OtherRegion", why: "A cluster cannot move.",
			change: func(d *kcm.ClusterDeployment) { d.Spec.Credential = "eu" },
			world: func(w *admission.ClusterDeploymentRefs) {
				w.OldCredential = w.Credential
				w.Credential = w.Credential.DeepCopy()
				w.Credential.Spec.Region = "eu"
			},
			want: []string{"spec.credential: the credential belongs to region eu, but the cluster lives in the management cluster"}},
	}
	runClusterCases(t, cases, old)
}

func runClusterCases(t *testing.T, cases []clusterCase, old *kcm.ClusterDeployment) {
	t.Helper()
	var rows []verdict
	for _, tc := range cases {
		d, refs := cluster(t), clusterRefs(t)
		if tc.change != nil {
			tc.change(d)
		}
		if tc.world != nil {
			tc.world(&refs)
		}
		rows = append(rows, verdict{tc.name, tc.why, admission.ValidateClusterDeployment(d, old, refs), tc.want})
	}
	check(t, rows)
}

func TestDryRunChanges(t *testing.T) {
	never := but(cluster(t), func(d *kcm.ClusterDeployment) {
		d.Spec.DryRun = true
		d.Status.AvailableUpgrades = []string{"local-2"}
	})
	lives := but(cluster(t), func(d *kcm.ClusterDeployment) {
		d.Spec.DryRun = true
		d.Status.Conditions = []metav1.Condition{{Type: kcm.HelmReleaseReadyCondition, Status: "True"}}
	})
	regional := clusterRefs(t)
	regional.Credential.Spec.Region = "eu"
	template := func(d *kcm.ClusterDeployment) { d.Spec.Template = "local-9" }
	credential := func(d *kcm.ClusterDeployment) { d.Spec.Credential = "eu" }
	check(t, []verdict{
		{"Template", "Nothing was made of it, so there is nothing to upgrade, whatever chains say.",
			admission.ValidateClusterDeployment(but(never, template), never, clusterRefs(t)), nil},
		{"Credential", "Nothing was made of it, so there is nothing to move.",
			admission.ValidateClusterDeployment(but(never, credential), never, regional), nil},
		{"TemplateLater", "That dryRun was set on a cluster that lives opens no way around the chains.",
			admission.ValidateClusterDeployment(but(lives, template), lives, clusterRefs(t)),
			[]string{"spec.template: cluster upgrade is forbidden"}},
		{"CredentialLater", "Nor does it let the cluster move.",
			admission.ValidateClusterDeployment(but(lives, credential), lives, regional),
			[]string{"spec.credential: the credential belongs to region eu"}},
	})
}

func TestClusterDeploymentWarnings(t *testing.T) {
	template := func(name, chart string) *kcm.ClusterTemplate {
		return from[kcm.ClusterTemplate](t, "metadata: {name: "+name+"}\nspec: {helm: {chartSpec: {chart: "+chart+"}}}")
	}
	lives, never := cluster(t), but(cluster(t), func(d *kcm.ClusterDeployment) { d.Spec.DryRun = true })
	tests := []struct {
		name, why     string
		old           *kcm.ClusterDeployment
		template, was *kcm.ClusterTemplate
		warned        bool
	}{
		{"OtherChart", "The status would be the first to say so.", lives, template("aws-1", "aws"), template("local-1", "local"), true},
		{"SameChart", "An upgrade as it should be.", lives, template("local-2", "local"), template("local-1", "local"), false},
		{"Moved", "A path in a Git repository is no other chart.", lives, template("local-2", "charts/local"), template("local-1", "local"), false},
		{"Never", "Nothing was made with the old chart.", never, template("aws-1", "aws"), template("local-1", "local"), false},
		{"New", "There is no old chart.", nil, template("aws-1", "aws"), nil, false},
		{"Silent", "A template that points to a HelmChart does not name the chart.", lives, &kcm.ClusterTemplate{}, template("local-1", "local"), false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := admission.ClusterDeploymentWarnings(tc.old, tc.template, tc.was); (len(got) > 0) != tc.warned {
				t.Errorf("%s\nwarnings: %q", tc.why, got)
			}
		})
	}
}

func TestClusterDeploymentDeletion(t *testing.T) {
	region := func(ns, name string) []kcm.Region {
		return []kcm.Region{{ObjectMeta: metav1.ObjectMeta{Name: "eu"}, Spec: kcm.RegionSpec{ClusterDeployment: &kcm.ClusterDeploymentReference{Namespace: ns, Name: name}}}}
	}
	check(t, []verdict{
		{"Region", "Everything in the region would be lost.",
			admission.ValidateClusterDeploymentDeletion(cluster(t), region("team", "dev")),
			[]string{"metadata.name: ClusterDeployment cannot be deleted: referenced by Region eu"}},
		{"Namesake", "The region is on a cluster of another namespace.",
			admission.ValidateClusterDeploymentDeletion(cluster(t), region("other", "dev")), nil},
	})
}

func TestDefaultClusterDeployment(t *testing.T) {
	template := clusterRefs(t).Template
	template.Status.Config = &kcm.JSON{Raw: []byte(`{"a":1}`)}
	tests := []struct {
		name, why string
		config    *kcm.JSON
		template  *kcm.ClusterTemplate
		want      string
		dryRun    bool
	}{
		{"Empty", "The author sees the values before anything is made.", nil, template, `{"a":1}`, true},
		{"Given", "Who has written values wants the cluster.", &kcm.JSON{Raw: []byte(`{}`)}, template, `{}`, false},
		{"NoTemplate", "There is nothing to fill in; the rules refuse it.", nil, nil, "", false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := cluster(t)
			d.Spec.Config = tc.config
			admission.DefaultClusterDeployment(d, tc.template)
			got := ""
			if d.Spec.Config != nil {
				got = string(d.Spec.Config.Raw)
			}
			if got != tc.want || d.Spec.DryRun != tc.dryRun {
				t.Errorf("%s\ngot config %s, dry run %v; want %s, %v", tc.why, got, d.Spec.DryRun, tc.want, tc.dryRun)
			}
		})
	}
}
