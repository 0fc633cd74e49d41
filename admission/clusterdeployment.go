package admission

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ClusterDeploymentRefs is what the rules for a ClusterDeployment have to know of the world.
type ClusterDeploymentRefs struct {
	Template *kcm.ClusterTemplate
	// Credential and OldCredential are those of the new object and of the old one.
	Credential, OldCredential *kcm.Credential
	// Parent is the status of the management cluster, or of the region of the credential.
	Parent *kcm.ComponentsStatus
	// Accepted are, by provider, the kinds of identity that it understands. A provider that
	// has not said is not listed.
	Accepted map[string][]string

	Services       ServiceRefs
	Authentication *kcm.ClusterAuthentication
	AuditPolicy    *kcm.ClusterAuditPolicy
	DataSource     *kcm.DataSource
	IPAMClaim      *kcm.ClusterIPAMClaim
	// AnyUpgrade lets the template change to any other, not only along chains.
	AnyUpgrade bool
}

// DefaultClusterDeployment fills in the values of the template for an object that has none, and
// marks it as a dry run: its author has to look at them first.
func DefaultClusterDeployment(d *kcm.ClusterDeployment, template *kcm.ClusterTemplate) {
	if d.Spec.Config != nil || template == nil || !template.Status.Valid {
		return
	}
	d.Spec.Config = &kcm.JSON{Raw: []byte("{}")}
	if template.Status.Config != nil {
		d.Spec.Config = template.Status.Config.DeepCopy()
	}
	d.Spec.DryRun = true
}

// ValidateClusterDeployment says what is wrong with an object; old is nil for a new one.
func ValidateClusterDeployment(d, old *kcm.ClusterDeployment, refs ClusterDeploymentRefs) field.ErrorList {
	before := kcm.ClusterDeployment{}
	if old != nil {
		if settled(d, d.Spec, old.Spec) {
			return nil
		}
		before = *old
	}
	var errs field.ErrorList
	if old == nil {
		errs = append(errs, labelName(namePath, d.Name, MaxClusterName)...)
		errs = append(errs, clusterShape(d)...)
		errs = append(errs, serviceSpec(d.Spec.ServiceSpec, nil, refs.Services)...)
	} else {
		errs = append(errs, clusterUpgrade(d, old, refs)...)
		errs = append(errs, clusterShape(d)...)
		errs = append(errs, serviceSpec(d.Spec.ServiceSpec, &old.Spec.ServiceSpec, refs.Services)...)
	}
	// Values that are taken away come from the template again.
	if old == nil || d.Spec.Template != before.Spec.Template || d.Spec.Config == nil && before.Spec.Config != nil {
		errs = append(errs, clusterTemplate(d, refs)...)
	}
	if old == nil || d.Spec.Credential != before.Spec.Credential || d.Spec.Template != before.Spec.Template {
		errs = append(errs, clusterCredential(d, refs)...)
	}
	errs = append(errs, clusterDocuments(d, before.Spec, refs)...)
	errs = append(errs, clusterServices(d, before.Spec, refs)...)
	// Where nothing was made yet, there is nothing to upgrade.
	if old != nil && !neverMade(old) {
		errs = append(errs, serviceSteps(d.Spec.ServiceSpec.Services, old.Spec.ServiceSpec.Services, refs.Services)...)
	}
	return errs
}

// ValidateClusterDeploymentAlone says what is wrong with a new object whatever the world is like.
// It is the part of ValidateClusterDeployment that a client can ask before it has a connection.
func ValidateClusterDeploymentAlone(d *kcm.ClusterDeployment) field.ErrorList {
	errs := append(labelName(namePath, d.Name, MaxClusterName), clusterShape(d)...)
	return append(errs, serviceSpec(d.Spec.ServiceSpec, nil, ServiceRefs{})...)
}

// clusterShape checks what can be checked without looking at anything else.
func clusterShape(d *kcm.ClusterDeployment) field.ErrorList {
	var errs field.ErrorList
	if d.Spec.Config != nil && len(d.Spec.Config.Raw) > 0 {
		var values map[string]any
		if err := json.Unmarshal(d.Spec.Config.Raw, &values); err != nil {
			errs = append(errs, field.Invalid(specPath.Child("config"), shorten(string(d.Spec.Config.Raw)), "write a mapping of keys to values"))
		}
	}
	if claim := d.Spec.IPAMClaim.ClusterIPAMClaimSpec; claim != nil {
		errs = append(errs, addressSpaces(*claim, specPath.Child("ipamClaim", "spec"))...)
		if claim.Cluster != "" && claim.Cluster != d.Name {
			errs = append(errs, field.Invalid(specPath.Child("ipamClaim", "spec", "cluster"), claim.Cluster, "leave it empty, or name this cluster"))
		}
	}
	return errs
}

// clusterUpgrade checks what may not change, and how the template may.
func clusterUpgrade(d, old *kcm.ClusterDeployment, refs ClusterDeploymentRefs) field.ErrorList {
	var errs field.ErrorList
	if d.Spec.DataSource != old.Spec.DataSource {
		errs = append(errs, field.Forbidden(specPath.Child("dataSource"), "spec.dataSource cannot be added or removed after creation: the state of the cluster is where it was; make a new cluster"))
	}
	// Nothing was made yet, so there is nothing to move or to upgrade.
	if neverMade(old) {
		return errs
	}
	errs = append(errs, sameRegion(d, old, refs)...)
	if d.Spec.Template == old.Spec.Template || refs.AnyUpgrade || slices.Contains(old.Status.AvailableUpgrades, d.Spec.Template) {
		return errs
	}
	ways := "there is none at present; list it in a ClusterTemplateChain"
	if len(old.Status.AvailableUpgrades) > 0 {
		ways = "use one of " + strings.Join(old.Status.AvailableUpgrades, ", ")
	}
	return append(errs, field.Forbidden(specPath.Child("template"), fmt.Sprintf("cluster upgrade is forbidden: no chain leads from %s to %s: %s", old.Spec.Template, d.Spec.Template, ways)))
}

// neverMade says whether an object has been a dry run from the start. That dryRun is set says
// little: it can be set on a cluster that lives. The controller leaves the condition out exactly
// while there is no release.
func neverMade(d *kcm.ClusterDeployment) bool {
	return d.Spec.DryRun && meta.FindStatusCondition(d.Status.Conditions, kcm.HelmReleaseReadyCondition) == nil
}

// ClusterDeploymentWarnings say what is accepted, and will not go on: template and oldTemplate are
// those of the new object and of the old one.
func ClusterDeploymentWarnings(old *kcm.ClusterDeployment, template, oldTemplate *kcm.ClusterTemplate) []string {
	chart, was := chartName(template), chartName(oldTemplate)
	if old == nil || neverMade(old) || chart == "" || was == "" || chart == was {
		return nil
	}
	return []string{fmt.Sprintf("ClusterTemplate %s has chart %s, but the cluster was made with chart %s: it stays as it is until you name a template with chart %s", template.Name, chart, was, was)}
}

// chartName is what the chart of a template is called; empty if the template does not say.
func chartName(t *kcm.ClusterTemplate) string {
	if t == nil || t.Spec.Helm.ChartSpec == nil {
		return ""
	}
	// In a Git repository the chart is named by its path.
	return path.Base(t.Spec.Helm.ChartSpec.Chart)
}

// sameRegion refuses a credential of another region than that in which the cluster lives.
func sameRegion(d, old *kcm.ClusterDeployment, refs ClusterDeploymentRefs) field.ErrorList {
	if d.Spec.Credential == old.Spec.Credential || old.Spec.Credential == "" || refs.Credential == nil {
		return nil
	}
	// Who replaces a credential may have deleted it before: then the status knows.
	lives := old.Status.Region
	if refs.OldCredential != nil {
		lives = refs.OldCredential.Spec.Region
	}
	region := refs.Credential.Spec.Region
	if region == lives {
		return nil
	}
	return field.ErrorList{field.Forbidden(specPath.Child("credential"), fmt.Sprintf("the credential belongs to %s, but the cluster lives in %s and cannot move: name a credential of the same region",
		regionName(region), regionName(lives)))}
}

func regionName(region string) string {
	if region == "" {
		return "the management cluster"
	}
	return "region " + region
}

func clusterTemplate(d *kcm.ClusterDeployment, refs ClusterDeploymentRefs) field.ErrorList {
	path := specPath.Child("template")
	t := refs.Template
	switch {
	case t == nil:
		return field.ErrorList{missing(path, d.Spec.Template, kcm.ClusterTemplateKind, d.Namespace)}
	case refused(t.Generation, &t.Status.TemplateStatus):
		return field.ErrorList{field.Invalid(path, t.Name, "the ClusterTemplate cannot be used: "+t.Status.ValidationError)}
	case !t.Status.Valid && d.Spec.Config == nil:
		return field.ErrorList{field.Required(specPath.Child("config"), "the ClusterTemplate is not checked yet, so its values cannot be filled in: set spec.config, or try again in a moment")}
	case !t.Status.Valid:
		return nil
	}
	return clusterProviders(path, t, refs.Parent)
}

func clusterProviders(path *field.Path, t *kcm.ClusterTemplate, parent *kcm.ComponentsStatus) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range ProviderProblems(t.Status.Providers, t.Status.ProviderContracts, parent) {
		errs = append(errs, field.Invalid(path, t.Name, problem))
	}
	return errs
}

// ProviderProblems say what the parent lacks of the providers and contracts that a template
// needs. A parent that has not reported anything yet is waited for.
func ProviderProblems(providers []string, contracts map[string]string, parent *kcm.ComponentsStatus) []string {
	if parent == nil || len(parent.AvailableProviders) == 0 {
		return nil
	}
	var problems, lacking, unfit []string
	for _, p := range providers {
		if !slices.Contains(parent.AvailableProviders, p) {
			lacking = append(lacking, p)
		}
	}
	if len(lacking) > 0 {
		problems = append(problems, fmt.Sprintf("one or more required providers are not deployed yet: [%s]: add them to spec.providers of the Management or Region, or wait until they are there", strings.Join(lacking, ", ")))
	}
	for _, p := range slices.Sorted(maps.Keys(contracts)) {
		offered := contractsOf(parent.CAPIContracts[p])
		if len(offered) > 0 && !slices.Contains(offered, contracts[p]) {
			unfit = append(unfit, p+" "+contracts[p])
		}
	}
	if len(unfit) > 0 {
		problems = append(problems, fmt.Sprintf("one or more required provider contract versions does not satisfy deployed: [%s]: choose another template, or another version of the provider", strings.Join(unfit, ", ")))
	}
	return problems
}

func clusterCredential(d *kcm.ClusterDeployment, refs ClusterDeploymentRefs) field.ErrorList {
	path := specPath.Child("credential")
	if d.Spec.Credential == "" {
		return field.ErrorList{field.Required(path, "name a Credential in namespace "+d.Namespace)}
	}
	c := refs.Credential
	if c == nil {
		return field.ErrorList{missing(path, d.Spec.Credential, kcm.CredentialKind, d.Namespace)}
	}
	for _, condition := range c.Status.Conditions {
		if condition.Type == kcm.CredentialReadyCondition && condition.Status == "False" {
			return field.ErrorList{field.Invalid(path, c.Name, "the Credential is not Ready: "+condition.Message)}
		}
	}
	if c.Spec.IdentityRef == nil {
		return field.ErrorList{field.Invalid(path, c.Name, "the Credential names no identity: set its spec.identityRef")}
	}
	if refs.Template == nil || !refs.Template.Status.Valid {
		return nil
	}
	return clusterIdentity(path, c, refs)
}

// clusterIdentity checks that every infrastructure provider of the template understands the
// kind of the identity.
func clusterIdentity(path *field.Path, c *kcm.Credential, refs ClusterDeploymentRefs) field.ErrorList {
	providers := refs.Template.Status.Providers
	if problem := infrastructureProblem(providers); problem != "" {
		return field.ErrorList{field.Invalid(specPath.Child("template"), refs.Template.Name, problem)}
	}
	var errs field.ErrorList
	for _, problem := range IdentityProblems(providers, c.Spec.IdentityRef.Kind, refs.Accepted) {
		errs = append(errs, field.Invalid(path, c.Name, problem+": name a Credential with such an identity"))
	}
	return errs
}

// infrastructureProblem says that none of the providers of a ClusterTemplate is one of
// infrastructure; empty if one is.
func infrastructureProblem(providers []string) string {
	if slices.ContainsFunc(providers, isInfrastructure) {
		return ""
	}
	return "the ClusterTemplate names no infrastructure provider: add one to the annotation " + kcm.ChartProvidersAnnotation + " of its chart"
}

// IdentityProblems say which of the providers cannot act with an identity of a kind; only those
// of infrastructure act with one. accepted are, by provider, the kinds that it understands: a
// provider that has not said is not listed, and not asked.
func IdentityProblems(providers []string, kind string, accepted map[string][]string) []string {
	var problems []string
	for _, p := range providers {
		kinds, known := accepted[p]
		if p == kcm.InternalProviderName {
			kinds, known = []string{"Secret"}, true
		}
		if isInfrastructure(p) && known && !slices.Contains(kinds, kind) {
			problems = append(problems, fmt.Sprintf("its identity is of kind %s, but provider %s understands %s", kind, p, strings.Join(kinds, ", ")))
		}
	}
	return problems
}

func isInfrastructure(provider string) bool {
	return strings.HasPrefix(provider, kcm.InfrastructureProviderPrefix)
}

// clusterDocuments checks references that are new.
func clusterDocuments(d *kcm.ClusterDeployment, before kcm.ClusterDeploymentSpec, refs ClusterDeploymentRefs) field.ErrorList {
	var errs field.ErrorList
	for _, ref := range []struct {
		at, name, old, kind string
		exists              bool
	}{
		{"clusterAuth", d.Spec.ClusterAuth, before.ClusterAuth, kcm.ClusterAuthenticationKind, refs.Authentication != nil},
		{"auditPolicy", d.Spec.AuditPolicy, before.AuditPolicy, kcm.ClusterAuditPolicyKind, refs.AuditPolicy != nil},
		{"dataSource", d.Spec.DataSource, before.DataSource, kcm.DataSourceKind, refs.DataSource != nil},
	} {
		if ref.name != "" && ref.name != ref.old && !ref.exists {
			errs = append(errs, missing(specPath.Child(ref.at), ref.name, ref.kind, d.Namespace))
		}
	}
	claim := d.Spec.IPAMClaim.ClusterIPAMClaimRef
	// With an inline spec the claim is made by a controller, which fills in its name.
	if claim == "" || claim == before.IPAMClaim.ClusterIPAMClaimRef || d.Spec.IPAMClaim.ClusterIPAMClaimSpec != nil {
		return errs
	}
	path := specPath.Child("ipamClaim", "ref")
	switch c := refs.IPAMClaim; {
	case c == nil:
		errs = append(errs, missing(path, claim, kcm.ClusterIPAMClaimKind, d.Namespace))
	case c.Spec.Cluster != d.Name:
		errs = append(errs, field.Invalid(path, claim, fmt.Sprintf("the claim is for cluster %q: set its spec.cluster to %s, or name another", c.Spec.Cluster, d.Name)))
	}
	return errs
}

// clusterServices checks what services name: those that are new or changed, and all of them
// where the version of Kubernetes may be another.
func clusterServices(d *kcm.ClusterDeployment, before kcm.ClusterDeploymentSpec, refs ClusterDeploymentRefs) field.ErrorList {
	services := before.ServiceSpec.Services
	if d.Spec.Template != before.Template {
		services = nil
	}
	kubernetes := ""
	if refs.Template != nil {
		kubernetes = refs.Template.Status.KubernetesVersion
	}
	return serviceRefs(d.Spec.ServiceSpec.Services, services, kubernetes, refs.Services)
}

// ValidateClusterDeploymentDeletion says what keeps a cluster from being deleted: a region that
// lives on it.
func ValidateClusterDeploymentDeletion(d *kcm.ClusterDeployment, regions []kcm.Region) field.ErrorList {
	for _, r := range regions {
		if on := r.Spec.ClusterDeployment; on != nil && on.Name == d.Name && on.Namespace == d.Namespace {
			return field.ErrorList{field.Forbidden(namePath, fmt.Sprintf("ClusterDeployment cannot be deleted: referenced by Region %s: delete the Region first", r.Name))}
		}
	}
	return nil
}
