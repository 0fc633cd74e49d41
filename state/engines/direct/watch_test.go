package direct

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// What the pods of a release read is known when somebody has looked. A change that is heard of
// while they look, and whose contents they may have seen before, is looked at again.
func TestSourceChangesDuringLook(t *testing.T) {
	w := newWorker(New(nil, nil, time.Now), engine.Target{})
	set := engine.Set{Services: []engine.Service{{Key: engine.Key{Name: "busy"}}, {Key: engine.Key{Name: "idle"}}}}
	set.Policy.Reload = true
	w.want(set)
	services := w.sets[set.Set].services
	services[engine.Key{Name: "busy"}].busy = true
	for _, source := range []helm.Object{{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Secret"), Name: "foreign"}, {}} {
		w.change(source)
		if svc := services[engine.Key{Name: "busy"}]; !svc.sourced {
			t.Errorf("the change of %v was forgotten", source)
		} else {
			svc.sourced = false
		}
		if services[engine.Key{Name: "idle"}].sourced {
			t.Errorf("the change of %v is no concern of a release that reads nothing", source)
		}
	}
}
