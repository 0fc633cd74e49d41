package admission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

// maxPriority is the highest priority that can be turned into a tier of Sveltos.
const maxPriority = 1<<31 - 2

// serviceConfig checks how services are deployed: provider.config or, where neither it nor a
// name is given, the deprecated fields. What did not change is not judged again.
func serviceConfig(now, before kcm.ServiceSpec, refs ServiceRefs) field.ErrorList {
	path := specPath.Child("serviceSpec")
	config := now.Provider.Config
	if config != nil {
		if equality.Semantic.DeepEqual(config, before.Provider.Config) {
			return nil
		}
		return providerConfig(config.Raw, path.Child("provider", "config"), configReader{ours: builtIn(now, refs), parse: refs.ParseValues})
	}
	if now.Provider.Name != "" {
		return nil // the deprecated fields have no effect
	}
	var errs field.ErrorList
	for i, ref := range now.TemplateResourceRefs {
		errs = append(errs, resourceRef(ref, path.Child("templateResourceRefs").Index(i))...)
	}
	errs = append(errs, identifiers(now.TemplateResourceRefs, path.Child("templateResourceRefs"))...)
	for i, ref := range now.PolicyRefs {
		errs = append(errs, policyRef(ref, path.Child("policyRefs").Index(i))...)
	}
	for i, s := range now.DriftIgnore {
		errs = append(errs, patchSelector(s, path.Child("driftIgnore").Index(i))...)
	}
	for i, x := range now.DriftExclusions {
		errs = append(errs, driftExclusion(x, path.Child("driftExclusions").Index(i))...)
	}
	return errs
}

// builtIn says whether the configuration of services is in the words of the built-in adapter:
// those of others are theirs.
func builtIn(spec kcm.ServiceSpec, refs ServiceRefs) bool {
	if p := refs.Provider; p != nil {
		return p.Spec.Selector != nil && p.Spec.Selector.MatchLabels[kcm.AdapterLabel] == kcm.AdapterBuiltIn
	}
	return providerName(spec) == kcm.DefaultStateManagementProviderName
}

// ignoredFields say which deprecated fields have no effect. Those that have a default in the
// schema are passed over: nobody may have written them.
func ignoredFields(spec kcm.ServiceSpec) []string {
	if spec.Provider.Config == nil && spec.Provider.Name == "" {
		return nil
	}
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"policyRefs", len(spec.PolicyRefs) > 0}, {"templateResourceRefs", len(spec.TemplateResourceRefs) > 0},
		{"driftIgnore", len(spec.DriftIgnore) > 0}, {"driftExclusions", len(spec.DriftExclusions) > 0},
		{"stopOnConflict", spec.StopOnConflict}, {"reload", spec.Reload}, {"continueOnError", spec.ContinueOnError},
	} {
		if f.set {
			out = append(out, fmt.Sprintf("spec.serviceSpec.%s has no effect, since spec.serviceSpec.provider says how services are deployed: move it to spec.serviceSpec.provider.config", f.name))
		}
	}
	return out
}

// configReader judges a configuration.
type configReader struct {
	ours  bool
	parse func(text string) error
}

// providerConfig checks the keys that we know, each strictly. Those that we do not know are
// somebody else's, and are kept.
func providerConfig(raw []byte, path *field.Path, r configReader) field.ErrorList {
	var keys map[string]json.RawMessage
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, &keys); err != nil {
		return field.ErrorList{field.Invalid(path, shorten(string(raw)), "write a mapping of keys to values")}
	}
	if !r.ours {
		return nil
	}
	var errs field.ErrorList
	known := r.keys()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at, value := path.Child(key), keys[key]
		if judge, ok := known[key]; ok {
			if string(value) != "null" {
				errs = append(errs, judge(value, at)...)
			}
			continue
		}
		// Programs that read JSON pass over the case of keys, so that this one would count.
		for _, word := range slices.Sorted(maps.Keys(known)) {
			if strings.EqualFold(word, key) {
				errs = append(errs, field.Invalid(at, key, "write it "+word))
			}
		}
	}
	return errs
}

type judgeKey func(raw json.RawMessage, path *field.Path) field.ErrorList

// keys are those of the built-in adapter.
func (r configReader) keys() map[string]judgeKey {
	return map[string]judgeKey{
		"syncMode":             words(string(kcm.SyncOneTime), string(kcm.SyncContinuous), string(kcm.SyncContinuousWithDriftDetection), string(kcm.SyncDryRun)),
		"stopMatchingBehavior": words("LeavePolicies", "WithdrawPolicies"),
		"priority":             whole(1, maxPriority),
		// Zero never gives up.
		"maxConsecutiveFailures": whole(0, maxPriority),
		"stopOnConflict":         truth,
		"continueOnError":        truth,
		"reload":                 truth,
		"reloader":               truth,
		"driftIgnore":            each(patchSelector),
		"driftExclusions":        each(driftExclusion),
		"patches":                each(r.patch),
		"policyRefs":             each(policyRef),
		"templateResourceRefs": func(raw json.RawMessage, path *field.Path) field.ErrorList {
			errs := each(resourceRef)(raw, path)
			var all []kcm.TemplateResourceRef
			if len(errs) == 0 && json.Unmarshal(raw, &all) == nil {
				errs = identifiers(all, path)
			}
			return errs
		},
	}
}

// strictly decodes a value; what does not fit is named by its field.
func strictly[T any](raw json.RawMessage, path *field.Path) (T, field.ErrorList) {
	var v T
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return v, nil
	case errors.As(err, &wrong):
		if wrong.Field != "" {
			path = path.Child(wrong.Field)
		}
		return v, field.ErrorList{field.Invalid(path, shorten(string(raw)), fmt.Sprintf("write %s instead of the %s", kindOf(wrong), wrong.Value))}
	}
	return v, field.ErrorList{field.Invalid(path, shorten(string(raw)), strings.TrimPrefix(err.Error(), "json: ")+": take it out, or mend it")}
}

// kindOf says in JSON's words what was expected.
func kindOf(wrong *json.UnmarshalTypeError) string {
	switch word := wrong.Type.Kind().String(); {
	case word == "bool":
		return "true or false"
	case word == "slice":
		return "a list"
	case word == "map", word == "struct":
		return "a mapping"
	case strings.HasPrefix(word, "int"):
		return "a whole number"
	default:
		return "a " + word
	}
}

func each[T any](judge func(T, *field.Path) field.ErrorList) judgeKey {
	return func(raw json.RawMessage, path *field.Path) field.ErrorList {
		list, errs := strictly[[]json.RawMessage](raw, path)
		for i, one := range list {
			v, wrong := strictly[T](one, path.Index(i))
			errs = append(errs, wrong...)
			if len(wrong) == 0 {
				errs = append(errs, judge(v, path.Index(i))...)
			}
		}
		return errs
	}
}

func words(allowed ...string) judgeKey {
	return func(raw json.RawMessage, path *field.Path) field.ErrorList {
		word, errs := strictly[string](raw, path)
		if len(errs) == 0 && !slices.Contains(allowed, word) {
			errs = field.ErrorList{field.NotSupported(path, word, allowed)}
		}
		return errs
	}
}

func whole(lowest, highest int64) judgeKey {
	return func(raw json.RawMessage, path *field.Path) field.ErrorList {
		n, errs := strictly[int64](raw, path)
		if len(errs) == 0 && (n < lowest || n > highest) {
			errs = field.ErrorList{field.Invalid(path, n, fmt.Sprintf("write a whole number from %d to %d", lowest, highest))}
		}
		return errs
	}
}

func truth(raw json.RawMessage, path *field.Path) field.ErrorList {
	_, errs := strictly[bool](raw, path)
	return errs
}

// patchSelector checks a selection of objects: what cannot be read would match nothing, or all.
func patchSelector(s kcm.PatchSelector, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, f := range []struct{ name, text string }{{"namespace", s.Namespace}, {"name", s.Name}} {
		if _, err := regexp.Compile(f.text); err != nil {
			errs = append(errs, field.Invalid(path.Child(f.name), f.text, "write a regular expression: "+err.Error()))
		}
	}
	for _, f := range []struct{ name, text string }{{"labelSelector", s.LabelSelector}, {"annotationSelector", s.AnnotationSelector}} {
		if _, err := labels.Parse(f.text); err != nil {
			errs = append(errs, field.Invalid(path.Child(f.name), f.text, "write a selector such as app=web: "+err.Error()))
		}
	}
	return errs
}

func driftExclusion(x kcm.DriftExclusion, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(x.Paths) == 0 {
		errs = append(errs, field.Required(path.Child("paths"), "list JSON pointers such as /spec/replicas"))
	}
	for i, p := range x.Paths {
		errs = append(errs, pointer(p, path.Child("paths").Index(i))...)
	}
	if x.Target != nil {
		errs = append(errs, patchSelector(*x.Target, path.Child("target"))...)
	}
	return errs
}

// pointer checks a JSON pointer (RFC 6901).
func pointer(p string, path *field.Path) field.ErrorList {
	rest := strings.NewReplacer("~0", "", "~1", "").Replace(p)
	if strings.HasPrefix(p, "/") && !strings.Contains(rest, "~") {
		return nil
	}
	return field.ErrorList{field.Invalid(path, p, "write a JSON pointer such as /spec/replicas; in names, ~1 stands for a slash and ~0 for a tilde")}
}

// servicePatch is a change of the selected objects.
type servicePatch struct {
	Patch  string             `json:"patch"`
	Target *kcm.PatchSelector `json:"target,omitempty"`
}

func (r configReader) patch(p servicePatch, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p.Target != nil {
		errs = patchSelector(*p.Target, path.Child("target"))
	}
	at := path.Child("patch")
	if hasExpressions(p.Patch) {
		if r.parse != nil {
			if err := r.parse(p.Patch); err != nil {
				errs = append(errs, field.Invalid(at, shorten(p.Patch), "mend the expression: "+err.Error()))
			}
		}
		return errs
	}
	return append(errs, patchText(p.Patch, at)...)
}

// patchText checks a strategic merge patch, or a list of operations (RFC 6902).
func patchText(text string, path *field.Path) field.ErrorList {
	const wanted = "write a mapping that is merged into the objects, or a list of JSON patch operations"
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return field.ErrorList{field.Invalid(path, shorten(text), wanted+": "+err.Error())}
	}
	var merged map[string]json.RawMessage
	if json.Unmarshal(raw, &merged) == nil && len(merged) > 0 {
		return nil
	}
	type operation struct {
		Op    string          `json:"op"`
		Path  *string         `json:"path"`
		From  *string         `json:"from"`
		Value json.RawMessage `json:"value"`
	}
	var operations []operation
	if err := json.Unmarshal(raw, &operations); err != nil || len(operations) == 0 {
		return field.ErrorList{field.Invalid(path, shorten(text), wanted)}
	}
	for i, o := range operations {
		problem := ""
		switch {
		case !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, o.Op):
			problem = "op is one of add, remove, replace, move, copy, test"
		case o.Path == nil || *o.Path != "" && len(pointer(*o.Path, path)) > 0:
			problem = "path is a JSON pointer such as /spec/replicas"
		case (o.Op == "move" || o.Op == "copy") && (o.From == nil || *o.From != "" && len(pointer(*o.From, path)) > 0):
			problem = "from is a JSON pointer such as /spec/replicas"
		case slices.Contains([]string{"add", "replace", "test"}, o.Op) && len(o.Value) == 0:
			problem = "value is missing"
		}
		if problem != "" {
			return field.ErrorList{field.Invalid(path, shorten(text), fmt.Sprintf("mend operation %d: %s", i+1, problem))}
		}
	}
	return nil
}

// resourceRef checks an object that values may quote.
func resourceRef(ref kcm.TemplateResourceRef, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, f := range []struct {
		path        *field.Path
		text, about string
	}{
		{path.Child("identifier"), ref.Identifier, "name the word under which values quote the object"},
		{path.Child("resource", "apiVersion"), ref.Resource.APIVersion, "for instance v1 for a Secret"},
		{path.Child("resource", "kind"), ref.Resource.Kind, "for instance Secret"},
		{path.Child("resource", "name"), ref.Resource.Name, "name the object; the name may hold expressions"},
	} {
		if f.text == "" {
			errs = append(errs, field.Required(f.path, f.about))
		}
	}
	return errs
}

func identifiers(refs []kcm.TemplateResourceRef, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, ref := range refs {
		if seen[ref.Identifier] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("identifier"), ref.Identifier))
		}
		seen[ref.Identifier] = true
	}
	return errs
}

// policyRef checks a reference to manifests.
func policyRef(ref kcm.PolicyRef, path *field.Path) field.ErrorList {
	if (ref.RemoteURL != nil) == (ref.Kind != "") {
		return field.ErrorList{field.Invalid(path, ref.Name, "set either kind and name, or remoteURL")}
	}
	var errs field.ErrorList
	if ref.DeploymentType != "" && ref.DeploymentType != kcm.DeployLocal && ref.DeploymentType != kcm.DeployRemote {
		errs = append(errs, field.NotSupported(path.Child("deploymentType"), ref.DeploymentType, []kcm.DeploymentType{kcm.DeployLocal, kcm.DeployRemote}))
	}
	if ref.Tier < 0 {
		errs = append(errs, field.Invalid(path.Child("tier"), ref.Tier, "write a whole number from 1 up"))
	}
	if ref.RemoteURL != nil {
		return append(errs, remoteURL(ref, path)...)
	}
	kinds := []string{"ConfigMap", "Secret", "GitRepository", "OCIRepository", "Bucket"}
	if !slices.Contains(kinds, ref.Kind) {
		errs = append(errs, field.NotSupported(path.Child("kind"), ref.Kind, kinds))
	}
	if ref.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), "name the "+ref.Kind))
	}
	return errs
}

// remoteURL checks where manifests are downloaded from.
func remoteURL(ref kcm.PolicyRef, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	remote, at := ref.RemoteURL, path.Child("remoteURL")
	if ref.Name != "" || ref.Namespace != "" {
		errs = append(errs, field.Forbidden(path.Child("name"), "name and namespace are for a kind: take them out beside remoteURL"))
	}
	if err := fleet.CheckRemoteURL(remote.URL); err != nil {
		errs = append(errs, field.Invalid(at.Child("url"), remote.URL, err.Error()))
	}
	if remote.Interval != nil {
		if err := fleet.CheckInterval(remote.Interval.Duration); err != nil {
			errs = append(errs, field.Invalid(at.Child("interval"), remote.Interval.Duration.String(), err.Error()))
		}
	}
	if remote.SecretRef != nil && remote.SecretRef.Name == "" {
		errs = append(errs, field.Required(at.Child("secretRef", "name"), "name the Secret with the credentials"))
	}
	if ref.Path != "" && !fleet.IsArtifactURL(remote.URL) {
		errs = append(errs, field.Forbidden(path.Child("path"), "behind an http or https URL is one file: take path out"))
	}
	return errs
}

// deployment is how services are deployed, in the words that are in force, and where they stand.
type deployment struct {
	path                 *field.Path
	TemplateResourceRefs []kcm.TemplateResourceRef `json:"templateResourceRefs"`
	PolicyRefs           []kcm.PolicyRef           `json:"policyRefs"`
}

func inForce(spec kcm.ServiceSpec) deployment {
	d := deployment{path: specPath.Child("serviceSpec", "provider", "config")}
	switch {
	case spec.Provider.Config != nil:
		// What cannot be read has been refused already, or is in the words of others.
		_ = json.Unmarshal(spec.Provider.Config.Raw, &d)
	case spec.Provider.Name == "":
		d.path, d.TemplateResourceRefs, d.PolicyRefs = specPath.Child("serviceSpec"), spec.TemplateResourceRefs, spec.PolicyRefs
	}
	return d
}
