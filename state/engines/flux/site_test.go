package flux

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
)

// A kind is watched as long as a release has an object of it.
func TestLearn(t *testing.T) {
	config, job := schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, workloads()[3]
	s := newSite(&Engine{}, engine.Target{})
	one, two := &service{has: []schema.GroupVersionKind{config, job}}, &service{has: []schema.GroupVersionKind{config}}
	one.release, two.release = &release{}, &release{}
	services := map[engine.Key]*service{{Name: "one"}: one, {Name: "two"}: two}
	s.sets[types.NamespacedName{Name: "set"}] = &set{services: services}
	for _, tc := range []struct {
		name, why string
		change    func()
		watched   bool
	}{
		{"Both", "two releases have it", func() {}, true},
		{"One", "one still has it", func() { delete(services, engine.Key{Name: "one"}) }, true},
		{"Gone", "the release of the other is off the target", func() { two.release = nil }, false},
		{"Back", "it is there again", func() { two.release = &release{} }, true},
		{"Other", "an upgrade has none of it", func() { two.has = nil }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.change()
			s.learn()
			if s.kinds[config] != tc.watched {
				t.Errorf("%s: it is watched: %v", tc.why, s.kinds[config])
			}
			if !s.kinds[job] {
				t.Error("a workload is not watched any more")
			}
		})
	}
}
