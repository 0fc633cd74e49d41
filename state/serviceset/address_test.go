package serviceset_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
)

// Whatever the Secret with the kubeconfig is called: its change, and that another one is named, has
// the set looked at anew.
func TestKubeconfigOfAnyNameIsFollowed(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	p.world.AddCluster(p.solo())
	cluster := &sveltos.SveltosCluster{ObjectMeta: p.meta("solo")}
	cluster.Spec.KubeconfigName = "mine"
	p.create(cluster)
	set := p.onItsOwn("address", web("text: one"))
	p.create(set)
	p.until(set.Name, "the deployment", deployed)
	looked := func(what string, do func()) {
		t.Helper()
		before := p.quiet(set.Name)
		do()
		if !p.eventually(func() bool { return p.engine.times()[set.Name] > before }) {
			t.Errorf("%s was not noticed", what)
		}
	}
	secret := &corev1.Secret{ObjectMeta: p.meta("mine"), StringData: map[string]string{"a": "one"}}
	looked("the Secret", func() { p.create(secret) })
	looked("other credentials", func() { change(p, secret, func(s *corev1.Secret) { s.StringData = map[string]string{"a": "two"} }) })
	looked("another Secret", func() { change(p, cluster, func(c *sveltos.SveltosCluster) { c.Spec.KubeconfigName = "yours" }) })
	before := p.quiet(set.Name)
	p.create(&corev1.Secret{ObjectMeta: p.meta("nobody"), StringData: map[string]string{"a": "one"}})
	if p.quiet(set.Name) != before {
		t.Error("a Secret that nobody reads was noticed")
	}
}

// quiet waits until a set is left in peace, and returns how often it was given to the engine.
func (p *plane) quiet(name string) int {
	p.Helper()
	n := p.engine.times()[name]
	for range 50 {
		time.Sleep(300 * time.Millisecond)
		now := p.engine.times()[name]
		if now == n {
			return n
		}
		n = now
	}
	p.Fatalf("%s is given to the engine again and again", name)
	return n
}

// eventually waits at most ten seconds.
func (p *plane) eventually(done func() bool) bool {
	for range 100 {
		if done() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}
