package values

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// luaAnnotation marks objects whose documents k0rdent's adapter runs as Lua programs.
const luaAnnotation = "projectsveltos.io/lua"

// Facts are what templates are evaluated over. Nothing of them is ever changed.
type Facts struct {
	// Cluster is the object of the target: a Cluster of Cluster API, or a SveltosCluster.
	Cluster map[string]any
	// KubeadmControlPlane and InfrastructureProvider are its parts; nil where it has none.
	KubeadmControlPlane    map[string]any
	InfrastructureProvider map[string]any
	// MgmtResources are the objects of templateResourceRefs, by their identifier; nil is an
	// optional one that does not exist.
	MgmtResources map[string]map[string]any
}

// Precedence says which values win.
type Precedence string

// The precedences.
const (
	// ValuesFromWins lays the values of ConfigMaps and Secrets over the inline ones. It is the
	// default.
	ValuesFromWins Precedence = "ValuesFrom"
	// InlineWins lays the inline ones over all others.
	InlineWins Precedence = "Inline"
)

// Source is a ConfigMap or Secret that values come from.
type Source struct {
	// Kind is ConfigMap or Secret.
	Kind, Name string
	// Data are its documents by their key.
	Data map[string]string
	// Annotations are the object's: they say whether the documents are templates.
	Annotations map[string]string
}

// Input is what the values of a service are made of.
type Input struct {
	// Service names the service in errors.
	Service string
	// Inline are the values of the service itself.
	Inline string
	// From are the sources that the service names, in the order of the list.
	From []Source
	// Precedence is ValuesFromWins unless said otherwise.
	Precedence Precedence
	Facts      Facts
}

// Merge makes the values of a service: JSON, or nothing where there are none. The layers are,
// from the lowest: the inline values; then the sources, in the order of the list and the
// documents of each in that of their keys; then those sources whose documents are templates.
// Errors are of kind fleet.ErrInvalid.
func Merge(in Input) (string, error) {
	inline, err := layer(fmt.Sprintf("the values of service %s", in.Service), in.Inline, &in.Facts)
	if err != nil {
		return "", err
	}
	plain, rendered, err := sources(in)
	if err != nil {
		return "", err
	}
	layers := slices.Concat([]helm.Values{inline}, plain, rendered)
	switch in.Precedence {
	case "", ValuesFromWins:
	case InlineWins:
		layers = append(layers[1:], inline)
	default:
		return "", fmt.Errorf("%w: valuesPrecedence is %q: write %s or %s", fleet.ErrInvalid, in.Precedence, ValuesFromWins, InlineWins)
	}
	if len(layers) == 1 && len(inline) == 0 {
		return "", nil
	}
	text, err := json.Marshal(helm.MergeValues(layers...))
	return string(text), err
}

// sources are the layers of ConfigMaps and Secrets: those that are taken as they are, and those
// that are evaluated.
func sources(in Input) (plain, rendered []helm.Values, err error) {
	for _, from := range in.From {
		if _, lua := from.Annotations[luaAnnotation]; lua {
			return nil, nil, fmt.Errorf("%w: %s/%s (valuesFrom of service %s) has annotation %s: Portico runs no Lua in values: write it as a template, with annotation %s",
				fleet.ErrInvalid, from.Kind, from.Name, in.Service, luaAnnotation, kcm.ResourceTemplateAnnotation)
		}
		var facts *Facts
		if _, is := from.Annotations[kcm.ResourceTemplateAnnotation]; is {
			facts = &in.Facts
		}
		for _, key := range slices.Sorted(maps.Keys(from.Data)) {
			name := fmt.Sprintf("%s of %s/%s (valuesFrom of service %s)", key, from.Kind, from.Name, in.Service)
			values, err := layer(name, from.Data[key], facts)
			switch {
			case err != nil:
				return nil, nil, err
			case facts != nil:
				rendered = append(rendered, values)
			default:
				plain = append(plain, values)
			}
		}
	}
	return plain, rendered, nil
}

// layer reads one document; with facts it is a template.
func layer(name, text string, facts *Facts) (helm.Values, error) {
	if facts != nil {
		var err error
		if text, err = Text(name, text, *facts); err != nil {
			return nil, err
		}
	}
	values, err := helm.ParseValues([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s are not YAML: %w", name, err)
	}
	return values, nil
}
