package admission

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ClusterDeploymentRefs is what the rules for a ClusterDeployment have to know of the world.
type ClusterDeploymentRefs struct {
	Template   *kcm.ClusterTemplate
	Credential *kcm.Credential
	// OldCredential is the credential of the old object.
	OldCredential *kcm.Credential
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

// DefaultClusterDeployment fills in the values of the template for a new object that has none,
// and marks it as a dry run: its author has to look at them first.
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
		errs = append(errs, labelName(namePath, d.Name, maxClusterName)...)
	} else {
		errs = append(errs, clusterUpgrade(d, old, refs)...)
	}
	errs = append(errs, clusterShape(d)...)
	if old == nil || d.Spec.Template != before.Spec.Template {
		errs = append(errs, clusterTemplate(d, refs)...)
	}
	if old == nil || d.Spec.Credential != before.Spec.Credential || d.Spec.Template != before.Spec.Template {
		errs = append(errs, clusterCredential(d, refs)...)
	}
	errs = append(errs, clusterDocuments(d, before.Spec, refs)...)
	return append(errs, clusterServices(d, before.Spec, refs)...)
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
	return append(errs, ValidateServices(d.Spec.ServiceSpec.Services, specPath.Child("serviceSpec", "services"))...)
}

// clusterUpgrade checks what may not change, and how the template may.
func clusterUpgrade(d, old *kcm.ClusterDeployment, refs ClusterDeploymentRefs) field.ErrorList {
	var errs field.ErrorList
	if d.Spec.DataSource != old.Spec.DataSource {
		errs = append(errs, field.Forbidden(specPath.Child("dataSource"), "spec.dataSource cannot be added or removed after creation: the state of the cluster is where it was; make a new cluster"))
	}
	if d.Spec.Credential != old.Spec.Credential && refs.Credential != nil && refs.OldCredential != nil &&
		refs.Credential.Spec.Region != refs.OldCredential.Spec.Region {
		errs = append(errs, field.Forbidden(specPath.Child("credential"), fmt.Sprintf("the credential belongs to %s, but the cluster lives in %s and cannot move: name a credential of the same region",
			regionName(refs.Credential.Spec.Region), regionName(refs.OldCredential.Spec.Region))))
	}
	if d.Spec.Template == old.Spec.Template || refs.AnyUpgrade || slices.Contains(old.Status.AvailableUpgrades, d.Spec.Template) {
		return errs
	}
	// Nothing was made of a dry run, so there is nothing to upgrade.
	if old.Spec.DryRun && old.Status.Region == "" && len(old.Status.Services) == 0 && len(old.Status.AvailableUpgrades) == 0 {
		return errs
	}
	ways := "there is none at present; list it in a ClusterTemplateChain"
	if len(old.Status.AvailableUpgrades) > 0 {
		ways = "use one of " + strings.Join(old.Status.AvailableUpgrades, ", ")
	}
	return append(errs, field.Forbidden(specPath.Child("template"), fmt.Sprintf("cluster upgrade is forbidden: no chain leads from %s to %s: %s", old.Spec.Template, d.Spec.Template, ways)))
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

// clusterProviders checks that the parent has what the template needs. A parent that has not
// reported anything yet is waited for.
func clusterProviders(path *field.Path, t *kcm.ClusterTemplate, parent *kcm.ComponentsStatus) field.ErrorList {
	if parent == nil || len(parent.AvailableProviders) == 0 {
		return nil
	}
	var lacking []string
	for _, p := range t.Status.Providers {
		if !slices.Contains(parent.AvailableProviders, p) {
			lacking = append(lacking, p)
		}
	}
	var errs field.ErrorList
	if len(lacking) > 0 {
		errs = append(errs, field.Invalid(path, t.Name, fmt.Sprintf("one or more required providers are not deployed yet: [%s]: add them to spec.providers of the Management or Region, or wait until they are there", strings.Join(lacking, ", "))))
	}
	var unfit []string
	for _, p := range slices.Sorted(maps.Keys(t.Status.ProviderContracts)) {
		offered := contractsOf(parent.CAPIContracts[p])
		if wanted := t.Status.ProviderContracts[p]; len(offered) > 0 && !slices.Contains(offered, wanted) {
			unfit = append(unfit, p+" "+wanted)
		}
	}
	if len(unfit) > 0 {
		errs = append(errs, field.Invalid(path, t.Name, fmt.Sprintf("one or more required provider contract versions does not satisfy deployed: [%s]: choose another template, or another version of the provider", strings.Join(unfit, ", "))))
	}
	return errs
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
	var infrastructure []string
	for _, p := range refs.Template.Status.Providers {
		if strings.HasPrefix(p, kcm.InfrastructureProviderPrefix) {
			infrastructure = append(infrastructure, p)
		}
	}
	if len(infrastructure) == 0 {
		return field.ErrorList{field.Invalid(specPath.Child("template"), refs.Template.Name, "the ClusterTemplate names no infrastructure provider: add one to the annotation "+kcm.ChartProvidersAnnotation+" of its chart")}
	}
	var errs field.ErrorList
	kind := c.Spec.IdentityRef.Kind
	for _, p := range infrastructure {
		accepted, known := refs.Accepted[p]
		if p == kcm.InternalProviderName {
			accepted, known = []string{"Secret"}, true
		}
		if known && !slices.Contains(accepted, kind) {
			errs = append(errs, field.Invalid(path, c.Name, fmt.Sprintf("its identity is of kind %s, but provider %s understands %s: name a Credential with such an identity", kind, p, strings.Join(accepted, ", "))))
		}
	}
	return errs
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

// clusterServices checks what services name, but only of services that are new or changed.
func clusterServices(d *kcm.ClusterDeployment, before kcm.ClusterDeploymentSpec, refs ClusterDeploymentRefs) field.ErrorList {
	same := map[string]bool{}
	if d.Spec.Template == before.Template {
		for _, s := range before.ServiceSpec.Services {
			same[serviceIdentity(s)] = true
		}
	}
	services := slices.Clone(d.Spec.ServiceSpec.Services)
	for i, s := range services {
		if same[serviceIdentity(s)] {
			services[i].Disable = true // what was accepted before stays accepted
		}
	}
	kubernetes := ""
	if refs.Template != nil {
		kubernetes = refs.Template.Status.KubernetesVersion
	}
	return validateServiceRefs(services, kubernetes, refs.Services)
}

func serviceIdentity(s kcm.Service) string {
	return strings.Join([]string{serviceKey(s.Namespace, s.Name), s.Template, s.TemplateChain, fmt.Sprint(s.Disable)}, " ")
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
