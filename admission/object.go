package admission

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// MaxClusterName is how long the name of a cluster may be: it is the name of a Helm release,
// and what is made for the cluster has it as a prefix.
const MaxClusterName = maxReleaseName

// maxReleaseName is what Helm allows for the name of a release.
const maxReleaseName = 53

// maxLabel is how long a label's value may be.
const maxLabel = 63

// maxRegionName leaves room in 63 characters for the longest name of a provider.
const maxRegionName = 21

var (
	specPath = field.NewPath("spec")
	namePath = field.NewPath("metadata", "name")
)

// settled says whether nothing has to be checked: the object is going away, or its spec is
// what it was.
func settled(object metav1.Object, spec, oldSpec any) bool {
	if object.GetDeletionTimestamp() != nil {
		return true
	}
	return oldSpec != nil && equality.Semantic.DeepEqual(spec, oldSpec)
}

// labelName checks a name that becomes a label's value, a namespace or a part of other names.
func labelName(path *field.Path, name string, max int) field.ErrorList {
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return field.ErrorList{field.Invalid(path, name, fmt.Sprintf("use lower case letters, digits and dashes, with a letter or digit at both ends, %d at most", max))}
	}
	if len(name) > max {
		return field.ErrorList{field.TooLong(path, name, max)}
	}
	return nil
}

// sameProvider refuses another engine for the same services. An empty name means the built-in
// one, and that is what a ServiceSet was made with: it would refuse every later change, out of
// sight. The rule of the schema knows nothing of a name that appears or disappears.
func sameProvider(now, before kcm.ServiceSpec) field.ErrorList {
	name, old := providerName(now), providerName(before)
	if name == old {
		return nil
	}
	return field.ErrorList{field.Forbidden(specPath.Child("serviceSpec", "provider", "name"), fmt.Sprintf("the services belong to provider %s and cannot move to %s: keep the provider, or make a new object", old, name))}
}

func providerName(spec kcm.ServiceSpec) string {
	return cmp.Or(spec.Provider.Name, kcm.DefaultStateManagementProviderName)
}

// missing says that an object that a field names does not exist.
func missing(path *field.Path, name, kind, namespace string) *field.Error {
	where := ""
	if namespace != "" {
		where = " in namespace " + namespace
	}
	return field.Invalid(path, name, kind+" does not exist"+where+": create it first, or name another")
}

// inUse says that an object cannot be deleted because of who uses it.
func inUse(what string, users []string) field.ErrorList {
	if len(users) == 0 {
		return nil
	}
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	shown := users
	if len(shown) > 5 {
		shown = append(slices.Clone(shown[:5]), "and others")
	}
	return field.ErrorList{field.Forbidden(namePath, what+" is in use by "+strings.Join(shown, ", ")+": delete or change them first")}
}
