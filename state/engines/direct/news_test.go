package direct

import (
	"testing"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
)

// What is heard of an object is news unless it was seen; it may have drifted unless what the
// release has applied is as it was when that was known.
func TestNews(t *testing.T) {
	object := helm.Object{Namespace: "ns", Name: "one"}
	heard := func(version string, mark uint64, applied bool) func(*service) {
		return func(svc *service) {
			svc.hear(remote.Moved{Object: object, Version: version, Mark: mark, Applied: applied})
		}
	}
	saw := func(version string, mark uint64) func(*service) {
		return func(svc *service) { svc.saw(helm.Seen{Object: object, Version: version, Mark: mark}) }
	}
	glimpsed := func(version string, mark uint64) func(*service) {
		return func(svc *service) { svc.glimpse(helm.Seen{Object: object, Version: version, Mark: mark}) }
	}
	for _, tc := range []struct {
		name, why     string
		happens       []func(*service)
		news, drifted bool
	}{
		{"Echo", "the event of our own write comes after the answer", []func(*service){saw("1", 7), heard("1", 7, true)}, false, false},
		{"EchoFirst", "or before it", []func(*service){heard("1", 7, true), saw("1", 7)}, false, false},
		{"Status", "", []func(*service){saw("1", 7), heard("2", 7, true)}, true, false},
		{"StatusFirst", "", []func(*service){heard("2", 7, true), saw("1", 7)}, true, false},
		{"ByHand", "", []func(*service){saw("1", 7), heard("2", 8, true)}, true, true},
		{"ByHandThenStatus", "what may have drifted still may have", []func(*service){saw("1", 7), heard("2", 8, true), heard("3", 8, false)}, true, true},
		{"ByHandAndBack", "", []func(*service){saw("1", 7), heard("2", 8, true), heard("3", 7, true)}, true, false},
		{"Gone", "", []func(*service){saw("1", 7), heard("", 0, true)}, true, true},
		{"Unknown", "", []func(*service){heard("1", 7, true)}, true, true},
		{"GlimpsedBeforeTheEvent", "whoever only looks how it runs does not know whether it has drifted", []func(*service){saw("1", 7), glimpsed("2", 8), heard("2", 8, true)}, true, true},
		{"GlimpsedAsItWas", "", []func(*service){saw("1", 7), glimpsed("2", 7), heard("2", 7, true)}, false, false},
		{"GlimpsedUnknown", "", []func(*service){glimpsed("1", 7), heard("1", 7, true)}, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			svc := &service{}
			for _, happen := range tc.happens {
				happen(svc)
			}
			if news, drifted := len(svc.moved) > 0, len(svc.drifted()) > 0; news != tc.news || drifted != tc.drifted {
				t.Errorf("news %v and drifted %v, want %v and %v: %s", news, drifted, tc.news, tc.drifted, tc.why)
			}
		})
	}
	once := &service{facts: facts{mode: engine.OneTime}}
	saw("1", 7)(once)
	glimpsed("2", 8)(once)
	if len(once.moved) > 0 {
		t.Error("where nobody compares, a glimpse has to do")
	}
}
