package memory

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/kube/manifest"
	"portico.dev/portico/state/engine"
)

// drift lists what of a release is not as it was made, and mends it where mend says so.
func (p *pass) drift(key engine.Key, mend bool) (lines []string, err error) {
	r := p.cluster.releases[key]
	for _, made := range r.objects {
		name, live := nameOf(made), p.cluster.objects[nameOf(made)]
		fields := p.fields(made, live)
		switch {
		case live != nil && len(fields) == 0 || selects(p.set.want.Policy.DriftIgnored, made):
			continue
		case mend:
			if err := p.cluster.write("mend "+key.Name, func() { p.cluster.objects[name] = made.DeepCopy() }); err != nil {
				return nil, err
			}
		case live == nil:
			lines = append(lines, name+": it was deleted")
		default:
			lines = append(lines, name+": "+strings.Join(fields, ", "))
		}
	}
	slices.Sort(lines)
	return lines[:min(len(lines), 10)], nil
}

// fields are what differs between two objects, but for what the policy takes out.
func (p *pass) fields(made, live *unstructured.Unstructured) []string {
	if live == nil {
		return nil
	}
	excluded := map[string]bool{}
	for _, x := range p.set.want.Policy.DriftExcluded {
		if selects([]engine.Selector{x.Target}, made) {
			for _, path := range x.Paths {
				excluded[strings.ReplaceAll(strings.Trim(path, "/"), "/", ".")] = true
			}
		}
	}
	return slices.DeleteFunc(differing("", made.Object, live.Object), func(path string) bool { return excluded[path] })
}

// differing are the paths of the values that are not the same.
func differing(at string, a, b map[string]any) []string {
	var paths []string
	for _, key := range slices.Sorted(maps.Keys(a)) {
		path := strings.Trim(at+"."+key, ".")
		inner, isMap := a[key].(map[string]any)
		other, isToo := b[key].(map[string]any)
		switch {
		case isMap && isToo:
			paths = append(paths, differing(path, inner, other)...)
		case !reflect.DeepEqual(a[key], b[key]):
			paths = append(paths, path)
		}
	}
	return paths
}

func selects(by []engine.Selector, o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(by, func(s engine.Selector) bool {
		m, err := manifest.Selector(s).Matcher()
		return err == nil && m.Matches(o, o.GetNamespace())
	})
}

// reload starts a workload anew if what it mounts is not what it has loaded.
func (p *pass) reload(key engine.Key) error {
	r := p.cluster.releases[key]
	text, _ := p.cluster.text(key)
	if !p.set.want.Policy.Reload || r.Values["run"] != true || r.loaded == text {
		return nil
	}
	return p.cluster.write("restart "+key.Name, func() {
		r.loaded = text
		p.cluster.restarts[key]++
	})
}

// refuseSelectors says which selectors of a policy cannot be read.
func refuseSelectors(policy engine.Policy) error {
	all := slices.Clone(policy.DriftIgnored)
	for _, x := range policy.DriftExcluded {
		all = append(all, x.Target)
	}
	for _, s := range all {
		if _, err := manifest.Selector(s).Matcher(); err != nil {
			return fmt.Errorf("reading a selector: %w", err)
		}
	}
	return nil
}
