package serviceset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/values"
)

// Observed is what a ServiceSet is resolved from.
type Observed struct {
	// Templates are the ServiceTemplates that exist, by name.
	Templates map[string]Template
	// Values are the ConfigMaps and Secrets with values that exist, by "<kind>/<name>" as the
	// services write it, and Precedence says which values win.
	Values     map[string]values.Source
	Precedence values.Precedence
	// Facts are what expressions quote, and Unknown why they are not there. They are read only if
	// an expression asks.
	Facts   values.Facts
	Unknown Unknown
	// Notes are what the owner of the set knows and its spec does not say.
	Notes service.Notes
	// Attached are the policyRefs of the configuration, in its order, with what was found.
	Attached []Attached
	// Leaving are services that left the spec and have to be removed in a way of their own.
	Leaving []engine.Service
	// Unheard are the other sets of the cluster that the engine was not told of since it was started:
	// what has to be removed stays until it was.
	Unheard []string
	// Provider is how the StateManagementProvider stands.
	Provider Provider
	// Health are the health rules that count for the set.
	Health HealthRules
	// Home says that the set is in the system namespace, and so may reach the management cluster.
	Home bool

	kept *kept
}

// Template is a ServiceTemplate with what its source has fetched.
type Template struct {
	Valid           bool
	ValidationError string
	Kind            engine.Kind
	Options         *kcm.ServiceHelmOptions
	Source          engine.Source
	// Problem is why the source cannot be used although the template is valid; empty for none.
	Problem string
	// Local says that the content goes to the management cluster.
	Local bool
}

// Provider is how the StateManagementProvider of a set stands.
type Provider struct {
	Ready, Suspended bool
	// Held is why the engine is not asked to change anything; empty if it is.
	Held string
}

// Parts is a ServiceSet as engines get it.
type Parts struct {
	// Target is what goes to the set's own cluster.
	Target engine.Set
	// Local is what goes to the management cluster beside it; nil if nothing does.
	Local *engine.Set
}

func (p Parts) all() []engine.Service {
	if p.Local == nil {
		return p.Target.Services
	}
	return slices.Concat(p.Target.Services, p.Local.Services)
}

// RefOf names the set and its target.
func RefOf(set *kcm.ServiceSet) engine.Ref {
	target := engine.Target{Management: set.Spec.Provider.SelfManagement}
	if !target.Management {
		target.Cluster = types.NamespacedName{Namespace: set.Namespace, Name: set.Spec.Cluster}
	}
	return engine.Ref{Set: types.NamespacedName{Namespace: set.Namespace, Name: set.Name}, Target: target}
}

// localRef names the part of the set that is on the management cluster.
func localRef(set *kcm.ServiceSet) engine.Ref {
	ref := RefOf(set)
	ref.Target = engine.Target{Management: true}
	return ref
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
func Resolve(set *kcm.ServiceSet, saw Observed) (Parts, error) {
	if err := mayReach(set, saw.Home); err != nil {
		return Parts{}, err
	}
	config, err := configOf(set.Spec.Provider)
	if err != nil {
		return Parts{}, err
	}
	out := Parts{Target: engine.Set{Ref: RefOf(set), Policy: policyOf(config), Health: saw.Health.Rules, Paused: isPaused(set) || saw.Provider.Held != ""}}
	out.Target.Leaving = parting(set, saw.Notes)
	local := out.Target
	local.Ref, local.Leaving.DependsOn = localRef(set), nil
	put := func(svc engine.Service, here bool) {
		switch {
		case !here || out.Target.Target.Management:
			out.Target.Services = append(out.Target.Services, svc)
		case !saw.Home && !svc.Uninstall:
			svc.Problem = fmt.Sprintf("%s %q is for the management cluster (deploymentType Local), which only ServiceSets of the system namespace may reach: set deploymentType Remote, or have it deployed from there", contentOf(svc), svc.Template)
			out.Target.Services = append(out.Target.Services, svc)
		default:
			local.Services = append(local.Services, svc)
		}
	}
	for _, svc := range set.Spec.Services {
		put(resolveService(set.Namespace, svc, saw), saw.Templates[svc.Template].Local)
	}
	tiers := map[engine.Key]int32{}
	for _, a := range one(saw.Attached) {
		if svc, wanted := resolveAttached(a); wanted {
			tiers[svc.Key] = tierOf(a.Ref)
			put(svc, a.Ref.DeploymentType == kcm.DeployLocal)
		}
	}
	for _, svc := range saw.Leaving {
		put(svc, false)
	}
	ordered(&out.Target)
	rank(&out.Target, tiers)
	if len(local.Services) > 0 {
		ordered(&local)
		rank(&local, tiers)
		out.Local = &local
	}
	return out, nil
}

// mayReach refuses a set of a tenant that is for the management cluster: there the engines may do
// everything. home says that the set is in the system namespace.
func mayReach(set *kcm.ServiceSet, home bool) error {
	if !set.Spec.Provider.SelfManagement || home {
		return nil
	}
	return fmt.Errorf("choosing the target: %w: spec.provider.selfManagement is for the management cluster, which only ServiceSets of the system namespace may reach: take it out and set spec.cluster, or have the services deployed from there", fleet.ErrInvalid)
}

func isPaused(set *kcm.ServiceSet) bool {
	_, paused := set.Annotations[kcm.ServiceSetPausedAnnotation]
	return paused
}

func contentOf(svc engine.Service) string {
	if isAttached(svc.Key) {
		return "policyRef"
	}
	return "ServiceTemplate"
}

// ordered sorts the services of a set, and lets them depend on services of the same set alone:
// what is on another cluster is awaited by the owner of the ServiceSet.
func ordered(set *engine.Set) {
	slices.SortFunc(set.Services, func(a, b engine.Service) int { return engine.CompareKeys(a.Key, b.Key) })
	for i, svc := range set.Services {
		set.Services[i].DependsOn = slices.DeleteFunc(slices.Clone(svc.DependsOn), func(key engine.Key) bool {
			_, here := set.Wants(key)
			return !here
		})
	}
}

// dependencies are the services that one depends on.
func dependencies(notes service.Notes, of engine.Key) []engine.Key {
	var out []engine.Key
	for _, name := range notes.DependsOn[of.String()] {
		out = append(out, keyNamed(name))
	}
	return out
}

// keyNamed reads namespace/name.
func keyNamed(text string) engine.Key {
	namespace, name, _ := strings.Cut(text, "/")
	return engine.Key{Namespace: namespace, Name: name}
}

func resolveService(namespace string, svc kcm.ServiceWithValues, saw Observed) engine.Service {
	out := engine.Service{
		Key: service.KeyOf(svc.Namespace, svc.Name), Kind: engine.Helm,
		Template: svc.Template, Version: cmp.Or(svc.Version, svc.Template),
		Uninstall: uninstalled(svc),
	}
	out.DependsOn = dependencies(saw.Notes, out.Key)
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
	case template.Problem != "":
		out.Problem = fmt.Sprintf("ServiceTemplate %q cannot be used: %s", svc.Template, template.Problem)
	case template.Source.Digest == "":
		out.NotYet = fmt.Sprintf("the %s of ServiceTemplate %q has not been fetched yet", contents[out.Kind], svc.Template)
	case out.Kind != engine.Helm && (svc.Values != "" || len(svc.ValuesFrom) > 0):
		out.Problem = fmt.Sprintf("only a chart takes values, and ServiceTemplate %q is none: take values and valuesFrom out", svc.Template)
	}
	if out.Problem == "" && out.Kind == engine.Helm {
		give(&out, svc, saw)
	}
	return out
}

// contents are what the kinds of services are made of, for people.
var contents = map[engine.Kind]string{engine.Helm: "chart", engine.Kustomize: "kustomization", engine.Resource: "manifests"}

// removalOf is what the engine is told when a ServiceSet goes: the options that services have now,
// and of those that left the spec what is remembered.
func removalOf(set *kcm.ServiceSet, was Record, saw Observed) engine.Removal {
	out := engine.Removal{Ref: RefOf(set), DependsOn: map[engine.Key][]engine.Key{}, Unawaited: unawaited(set), Options: was.options()}
	for name := range saw.Notes.DependsOn {
		out.DependsOn[keyNamed(name)] = dependencies(saw.Notes, keyNamed(name))
	}
	if config, err := configOf(set.Spec.Provider); err == nil {
		out.Leave = config.StopMatchingBehavior == leavePolicies
	}
	for _, svc := range set.Spec.Services {
		key := service.KeyOf(svc.Namespace, svc.Name)
		template, there := saw.Templates[svc.Template]
		if _, remembered := out.Options[key]; there || svc.HelmOptions != nil || !remembered {
			out.Options[key] = optionsOf(service.MergeOptions(template.Options, svc.HelmOptions))
		}
	}
	return out
}
