package flux_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/flux"
)

// helm-controller is killed in the middle of each of its works. When it is back, the work is
// finished, and nothing is left of what is not wanted any more.
func TestHelmControllerKilled(t *testing.T) {
	program := helmController(t)
	program.start(t, shared.Cluster(t))
	l := newLab(t)
	target := l.Target(t).(*target)
	e := l.Engine(t).(*flux.Engine)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Start(ctx) }()
	defer func() { cancel(); <-ended }()

	key := engine.Key{Namespace: target.Namespace(), Name: "a"}
	ref := engine.Ref{Set: types.NamespacedName{Namespace: l.home, Name: "set"}, Target: target.Name()}
	set := engine.Set{Ref: ref, Services: []engine.Service{{
		Key: key, Kind: engine.Helm, Version: "1.0.0", Source: l.Chart("1.0.0"), Values: "run: true",
		Options: engine.Options{CreateNamespace: true, Wait: true, Timeout: 5 * time.Minute},
	}}}
	deployed := func() error { return applied(ctx, e, set) }
	gone := func() error { return removed(ctx, e, engine.Removal{Ref: ref}) }

	_ = deployed() // it has just been asked for
	target.workload(t, key)
	program.kill()
	program.start(t, l.cluster)
	target.Heal(t, key)
	eventually(t, e, "the installation after all", deployed)

	program.kill()
	set.Services[0].Source, set.Services[0].Values = l.Chart("2.0.0"), "{run: true, text: two}"
	_ = deployed()
	program.start(t, l.cluster)
	eventually(t, e, "the upgrade after all", deployed)
	if r := target.Releases(t)[key]; !r.Whole || r.Version != "2.0.0" || r.Text != "two" {
		t.Errorf("the release is %+v", r)
	}

	program.kill()
	_ = gone()
	program.start(t, l.cluster)
	eventually(t, e, "the removal after all", gone)
	if left := target.Releases(t); len(left) > 0 {
		t.Errorf("it is gone, but there are still %v", left)
	}

	_ = deployed()
	target.workload(t, key)
	program.kill()
	_ = gone()
	program.start(t, l.cluster)
	eventually(t, e, "the removal of what was begun", gone)
	if left := target.Releases(t); len(left) > 0 {
		t.Errorf("it is gone, but there are still %v", left)
	}
}

func applied(ctx context.Context, e *flux.Engine, set engine.Set) error {
	report, err := e.Apply(ctx, set)
	if err != nil {
		return err
	}
	for _, s := range report.Services {
		if s.State != engine.Deployed {
			return fmt.Errorf("%s is %s: %s", s.Key, s.State, s.Message)
		}
	}
	return nil
}

func removed(ctx context.Context, e *flux.Engine, what engine.Removal) error {
	report, err := e.Remove(ctx, what)
	if err == nil && !report.Gone {
		err = fmt.Errorf("it is not gone: %+v", report)
	}
	return err
}

func eventually(t *testing.T, e *flux.Engine, what string, so func() error) {
	t.Helper()
	begun, over := time.Now(), time.After(time.Minute)
	for {
		err := so()
		if err == nil {
			t.Logf("%s took %s", what, time.Since(begun))
			return
		}
		select {
		case <-e.Changes():
		case <-over:
			t.Fatalf("%s did not happen within a minute: %v", what, err)
		}
	}
}
