package memory

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// Put makes a ConfigMap that no release has.
func (c *Cluster) Put(key engine.Key, labels map[string]string, text string) {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"text": text}}}
	o.SetNamespace(key.Namespace)
	o.SetName(key.Name)
	o.SetLabels(labels)
	c.change(func() { c.objects[nameOf(o)] = o })
}

// judge says what health rules have against the objects of a release, and those that belong to it.
func (p *pass) judge(key engine.Key) []helm.Problem {
	var problems []helm.Problem
	for _, name := range slices.Sorted(maps.Keys(p.cluster.objects)) {
		o := p.cluster.objects[name]
		for _, r := range p.set.want.Health {
			kind := o.GroupVersionKind()
			if r.Group != kind.Group || r.Version != kind.Version || r.Kind != kind.Kind || !p.belongs(o, key) {
				continue
			}
			problems = append(problems, helm.HealthRule(r).Against(context.Background(), p.world.rules, o)...)
		}
	}
	return problems
}

func (p *pass) belongs(o *unstructured.Unstructured, key engine.Key) bool {
	named := slices.ContainsFunc(helm.NameLabels(), func(label string) bool { return o.GetLabels()[label] == key.Name })
	own := func(mine *unstructured.Unstructured) bool { return nameOf(mine) == nameOf(o) }
	r := p.release(key)
	return named && o.GetNamespace() == key.Namespace || r != nil && slices.ContainsFunc(r.objects, own)
}
