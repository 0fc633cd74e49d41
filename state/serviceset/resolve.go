package serviceset

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

// Observed is what a ServiceSet is resolved from.
type Observed struct {
	// Templates are the ServiceTemplates that exist, by name.
	Templates map[string]Template
	// Values are the documents of ConfigMaps and Secrets that exist, in the order of their
	// keys, by "<kind>/<name>".
	Values map[string][]string
	// DependsOn says which services depend on which: a ServiceSet does not say it itself.
	DependsOn map[engine.Key][]engine.Key
}

// Template is a ServiceTemplate with what its chart's source has fetched.
type Template struct {
	Valid           bool
	ValidationError string
	Kind            engine.Kind
	Options         *kcm.ServiceHelmOptions
	Source          engine.Source
}

// RefOf names the set and its target.
func RefOf(set *kcm.ServiceSet) engine.Ref {
	target := engine.Target{Management: set.Spec.Provider.SelfManagement}
	if !target.Management {
		target.Cluster = types.NamespacedName{Namespace: set.Namespace, Name: set.Spec.Cluster}
	}
	return engine.Ref{Set: types.NamespacedName{Namespace: set.Namespace, Name: set.Name}, Target: target}
}

// dependencies are those that the owner of a ServiceSet asks for.
func dependencies(services []kcm.Service) map[engine.Key][]engine.Key {
	out := map[engine.Key][]engine.Key{}
	for _, svc := range services {
		for _, dep := range svc.DependsOn {
			key := service.KeyOf(svc.Namespace, svc.Name)
			out[key] = append(out[key], service.KeyOf(dep.Namespace, dep.Name))
		}
	}
	return out
}

// removalOf is what the engine is told when a ServiceSet goes.
func removalOf(set *kcm.ServiceSet, owner *kcm.ClusterDeployment, templates map[string]*kcm.ServiceHelmOptions) engine.Removal {
	out := engine.Removal{Ref: RefOf(set), DependsOn: dependenciesOf(set, owner), Options: map[engine.Key]engine.Options{}}
	for _, svc := range set.Spec.Services {
		out.Options[service.KeyOf(svc.Namespace, svc.Name)] = optionsOf(service.MergeOptions(templates[svc.Template], svc.HelmOptions))
	}
	return out
}

// Blame puts what an engine refuses where it belongs: what concerns one service alone becomes
// that service's problem, so that the others go on; an error means the whole set. It is pure.
func Blame(set engine.Set, refused field.ErrorList) (engine.Set, error) {
	set.Services = slices.Clone(set.Services)
	var whole field.ErrorList
	for _, r := range refused {
		i := concerns(set.Services, r.Field)
		if i < 0 {
			whole = append(whole, r)
			continue
		}
		set.Services[i].Problem = cmp.Or(set.Services[i].Problem, r.ErrorBody())
	}
	if len(whole) > 0 {
		return set, fmt.Errorf("%w: %w", fleet.ErrInvalid, whole.ToAggregate())
	}
	return set, nil
}

// concerns is the index of the service that a field belongs to, -1 if it belongs to none.
func concerns(services []engine.Service, path string) int {
	for i := range services {
		if strings.HasPrefix(path, field.NewPath("spec", "services").Index(i).String()+".") {
			return i
		}
	}
	return -1
}

// Resolve turns a ServiceSet into what an engine is given. It is pure. What is wrong with one
// service becomes that service's problem; an error means that the whole set is wrong.
func Resolve(set *kcm.ServiceSet, saw Observed) (engine.Set, error) {
	policy, err := policyOf(set.Spec.Provider)
	if err != nil {
		return engine.Set{}, err
	}
	_, paused := set.Annotations[kcm.ServiceSetPausedAnnotation]
	out := engine.Set{Ref: RefOf(set), Policy: policy, Paused: paused}
	for _, svc := range set.Spec.Services {
		out.Services = append(out.Services, resolveService(set.Namespace, svc, saw))
	}
	slices.SortFunc(out.Services, func(a, b engine.Service) int { return engine.CompareKeys(a.Key, b.Key) })
	return out, nil
}

func resolveService(namespace string, svc kcm.ServiceWithValues, saw Observed) engine.Service {
	out := engine.Service{
		Key: service.KeyOf(svc.Namespace, svc.Name), Kind: engine.Helm,
		Template: svc.Template, Version: cmp.Or(svc.Version, svc.Template),
		Uninstall: uninstalled(svc),
	}
	out.DependsOn = saw.DependsOn[out.Key]
	template, ok := saw.Templates[svc.Template]
	if ok {
		out.Kind, out.Source = template.Kind, template.Source
	}
	out.Options = optionsOf(service.MergeOptions(template.Options, svc.HelmOptions))
	switch {
	case out.Uninstall:
		return out // nothing of what an installation needs is needed
	case !ok:
		out.Problem = fmt.Sprintf("ServiceTemplate %q does not exist in namespace %q: create it there, since a service takes no template of another namespace, or name another", svc.Template, namespace)
	case !template.Valid && template.ValidationError == "":
		out.NotYet = fmt.Sprintf("ServiceTemplate %q has not been looked at yet", svc.Template)
	case !template.Valid:
		out.Problem = fmt.Sprintf("ServiceTemplate %q is not valid: %s", svc.Template, template.ValidationError)
	case template.Source.Digest == "":
		out.NotYet = fmt.Sprintf("the chart of ServiceTemplate %q has not been fetched yet", svc.Template)
	}
	values, err := mergeValues(svc, saw)
	if err != nil && out.Problem == "" {
		out.Problem = fleet.Sentence(err)
	}
	out.Values = values
	return out
}

// mergeValues lays the referenced values over the inline ones, in the order of the list, as
// k0rdent's adapter does.
func mergeValues(svc kcm.ServiceWithValues, saw Observed) (string, error) {
	inline, err := helm.ParseValues([]byte(svc.Values))
	if err != nil {
		return "", fmt.Errorf("the values of service %s are not YAML: %w", svc.Name, err)
	}
	layers := []helm.Values{inline}
	for _, from := range svc.ValuesFrom {
		name := from.Kind + "/" + from.Name
		documents, ok := saw.Values[name]
		if !ok {
			return "", fmt.Errorf("%s (valuesFrom of service %s) does not exist: create it, or take the reference out", name, svc.Name)
		}
		for _, text := range documents {
			layer, err := helm.ParseValues([]byte(text))
			if err != nil {
				return "", fmt.Errorf("the values in %s (valuesFrom of service %s) are not YAML: %w", name, svc.Name, err)
			}
			layers = append(layers, layer)
		}
	}
	if len(layers) == 1 && len(inline) == 0 {
		return "", nil
	}
	text, err := json.Marshal(helm.MergeValues(layers...))
	return string(text), err
}

// policyOf reads the configuration of the built-in adapter.
func policyOf(provider kcm.StateManagementProviderConfig) (engine.Policy, error) {
	config := service.Config{SyncMode: kcm.SyncContinuous, Priority: 100}
	if provider.Config != nil && len(provider.Config.Raw) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(provider.Config.Raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&config); err != nil {
			return engine.Policy{}, fmt.Errorf("reading spec.provider.config: %w: %w", fleet.ErrInvalid, err)
		}
	}
	switch {
	case len(config.TemplateResourceRefs) > 0:
		return engine.Policy{}, unsupported("templateResourceRefs")
	case len(config.PolicyRefs) > 0:
		return engine.Policy{}, unsupported("policyRefs")
	}
	policy := engine.Policy{
		Sync: engine.SyncMode(config.SyncMode), Priority: config.Priority,
		StopOnConflict: config.StopOnConflict, StopOnError: !config.ContinueOnError,
		LeaveOnRemove: config.StopMatchingBehavior == "LeavePolicies", Reload: config.Reload || config.ReloadAsDocumented,
	}
	for _, s := range config.DriftIgnore {
		policy.DriftIgnored = append(policy.DriftIgnored, selectorOf(s))
	}
	for _, x := range config.DriftExclusions {
		exclusion := engine.Exclusion{Paths: x.Paths}
		if x.Target != nil {
			exclusion.Target = selectorOf(*x.Target)
		}
		policy.DriftExcluded = append(policy.DriftExcluded, exclusion)
	}
	return policy, nil
}

func unsupported(field string) error {
	return fmt.Errorf("reading spec.provider.config.%s: %w: Portico cannot do this: take the field out", field, fleet.ErrInvalid)
}

func selectorOf(s kcm.PatchSelector) engine.Selector {
	return engine.Selector{
		Group: s.Group, Version: s.Version, Kind: s.Kind, Namespace: s.Namespace, Name: s.Name,
		LabelSelector: s.LabelSelector, AnnotationSelector: s.AnnotationSelector,
	}
}

// optionsOf applies the defaults that k0rdent's adapter has.
func optionsOf(o *kcm.ServiceHelmOptions) engine.Options {
	out := engine.Options{
		Wait: is(o.Wait), WaitForJobs: is(o.WaitForJobs), Atomic: is(o.Atomic), Timeout: 5 * time.Minute,
		CreateNamespace: o.CreateNamespace == nil || *o.CreateNamespace, SkipCRDs: is(o.SkipCRDs), DisableHooks: is(o.DisableHooks),
		DisableOpenAPIChecks: is(o.DisableOpenAPIValidation), SkipSchemaValidation: is(o.SkipSchemaValidation), DependencyBump: is(o.DependencyUpdate),
		Install: engine.InstallOptions{Replace: true},
		Upgrade: engine.UpgradeOptions{MaxHistory: 2},
	}
	if o.Timeout != nil {
		out.Timeout = o.Timeout.Duration
	}
	if o.Labels != nil {
		out.Labels = *o.Labels
	}
	if o.Description != nil {
		out.Description = *o.Description
	}
	if in := o.InstallOptions; in != nil {
		out.CreateNamespace = in.CreateNamespace == nil || *in.CreateNamespace
		out.Install = engine.InstallOptions{DisableHooks: in.DisableHooks, TakeOwnership: in.TakeOwnership, Replace: in.Replace == nil || *in.Replace}
	}
	if up := o.UpgradeOptions; up != nil {
		out.Upgrade = engine.UpgradeOptions{
			Force: up.Force, ResetValues: up.ResetValues, ReuseValues: up.ReuseValues, ResetThenReuseValues: up.ResetThenReuseValues,
			CleanupOnFail: up.CleanupOnFail, SubNotes: up.SubNotes, UpgradeCRDs: up.UpgradeCRDs,
			DisableHooks: up.DisableHooks, TakeOwnership: up.TakeOwnership, MaxHistory: 2,
		}
		if up.MaxHistory != nil {
			out.Upgrade.MaxHistory = *up.MaxHistory
		}
	}
	if un := o.UninstallOptions; un != nil {
		out.Uninstall = engine.UninstallOptions{KeepHistory: un.KeepHistory, DisableHooks: un.DisableHooks, Propagation: un.DeletionPropagation}
	}
	return out
}

func is(b *bool) bool { return b != nil && *b }
