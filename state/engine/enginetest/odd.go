package enginetest

import (
	"testing"

	"portico.dev/portico/state/engine"
)

// Values that break the chart's schema are told by their name, and the others go on.
func schema(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	svc.Source, svc.Values = ability[OddLab](x, lab).Odd(t, StrictSchema), "text: SHOUTING"
	x.await(x.set(svc, x.service("b")), "the failure", func(r engine.Report) bool {
		return says("a", engine.Failed, "text")(r) && find(r, "b").State == engine.Deployed
	})
	x.expect("after values that break the schema", map[string]Release{"b": first("1.0.0", "one")})
	svc.Values = "text: one"
	x.await(x.set(svc, x.service("b")), "the mended values", are(engine.Deployed, "a", "b"))
}

// A hook that fails is told, holds back what depends on its service and nothing
// else, and is tried again.
func failingHook(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc, web := x.service("a"), x.service("web")
	svc.Source = ability[OddLab](x, lab).Odd(t, FailingHook)
	hooks := ability[HookTarget](x, x.target)
	web.DependsOn = []engine.Key{svc.Key}
	set := x.set(svc, x.service("b"), web)
	x.apply(set)
	hooks.FailHook(t, svc.Key, "the disk is full")
	x.await(set, "the failure", func(r engine.Report) bool {
		return says("a", engine.Failed, "hook")(r) && says("web", engine.Pending, svc.Key.String())(r) && find(r, "b").State == engine.Deployed
	})
	go hooks.PassHook(t, svc.Key)
	x.await(set, "the next attempt", are(engine.Deployed, "a", "b", "web"))
}

// An object of a kind that the target does not have yet is waited for: its name is told, and
// the service converges by itself once the kind is there.
func lateKind(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.service("a")
	svc.Source = ability[OddLab](x, lab).Odd(t, LateKind)
	kinds := ability[KindTarget](x, x.target)
	set := x.set(svc, x.service("b"))
	x.await(set, "the failure", func(r engine.Report) bool {
		return says("a", engine.Failed, "Late")(r) && find(r, "b").State == engine.Deployed
	})
	kinds.Serve(t)
	x.await(set, "the installation after all", are(engine.Deployed, "a", "b"))
}

// A namespace on its way out is waited for, and told.
func terminating(t *testing.T, lab Lab) {
	x := try(t, lab)
	namespaces := ability[NamespaceTarget](x, x.target)
	namespaces.Terminate(t)
	set := x.set(x.service("a"))
	x.await(set, "the failure", says("a", engine.Failed, "namespace"))
	namespaces.Finish(t)
	x.await(set, "the installation after all", are(engine.Deployed, "a"))
}
