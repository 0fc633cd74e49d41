package rights_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// desk answers questions about rights, and counts them. It may be slow, or closed.
type desk struct {
	mu           sync.Mutex
	asked, busy  int
	most         int
	slow         time.Duration
	closed       bool
	unauthorized string
}

func (d *desk) Create(_ context.Context, r *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	d.mu.Lock()
	d.asked, d.busy = d.asked+1, d.busy+1
	d.most = max(d.most, d.busy)
	closed := d.closed
	d.mu.Unlock()
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	if closed {
		return nil, errors.New("the desk is closed")
	}
	place := r.Spec.ResourceAttributes.Namespace
	r.Status.Allowed = r.Spec.User == "root" || place != "" && place != d.unauthorized
	return r, nil
}

func spaces(n int) func() (map[store.Tenant][]string, error) {
	homes := map[store.Tenant][]string{}
	for i := range n {
		homes["acme"] = append(homes["acme"], fmt.Sprintf("ns-%04d", i))
	}
	homes[store.Platform] = []string{"ns-0000"}
	return func() (map[store.Tenant][]string, error) { return homes, nil }
}

// Many requests of one user are one question for each namespace, and few at a time.
func TestAskedOnce(t *testing.T) {
	d := &desk{slow: time.Millisecond}
	now := time.Now()
	j := rights.New(d, spaces(300), func() time.Time { return now })
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			s, err := j.Sight(t.Context(), signin.Identity{Name: "ann"})
			if err != nil || len(s.Namespaces) != 300 || len(s.Tenants) != 1 || s.Tenants[0] != "acme" {
				t.Errorf("sight = %d namespaces, tenants %v, %v", len(s.Namespaces), s.Tenants, err)
			}
		})
	}
	group.Wait()
	if d.asked != 301 || d.most > 32 {
		t.Errorf("asked %d times, %d at a time", d.asked, d.most)
	}
}

// What cannot be asked is not allowed, and is not remembered as forbidden.
func TestDeskClosed(t *testing.T) {
	d := &desk{closed: true}
	now := time.Now()
	j := rights.New(d, spaces(2), func() time.Time { return now })
	root := signin.Identity{Name: "root"}
	if may, err := j.Everything(t.Context(), root); may || err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("everything = %v, %v", may, err)
	}
	if _, err := j.Scope(t.Context(), root, ""); err == nil {
		t.Error("a scope without an answer")
	}
	d.closed = false
	if s, err := j.Scope(t.Context(), root, ""); err != nil || !s.All() {
		t.Errorf("afterwards: %v, %v", s, err)
	}
	d.closed = true
	now = now.Add(rights.Life)
	if may, err := j.Everything(t.Context(), root); may || err == nil {
		t.Errorf("an old answer counts: %v, %v", may, err)
	}
}

// A tenant's telemetry is for those who may read all of its clusters, and that of the platform for those
// who may read all clusters.
func TestScope(t *testing.T) {
	homes := map[store.Tenant][]string{"acme": {"a"}, "beta": {"a", "b"}, "gamma": {"c"}, store.Platform: {"a"}, store.Plane: {"a"}}
	of := func() (map[store.Tenant][]string, error) { return homes, nil }
	ann := signin.Identity{Name: "ann"}
	for _, tc := range []struct {
		why, forbidden, asked, want string
	}{
		{"She sees a and c, so two tenants: one has to be named.", "b", "", "several tenants: name one of acme, gamma"},
		{"The one that she names is hers.", "b", "acme", "acme"},
		{"One cluster of beta is not hers, so nothing of beta is.", "b", "beta", "not yours"},
		{"Nobody but who sees everything sees the platform.", "b", "PLATFORM", "not yours"},
		{"Nor what the plane tells of itself, even if a cluster carries its name.", "b", string(store.Plane), "not yours"},
		{"A tenant without clusters is nobody's.", "b", "delta", "not yours"},
		{"What is no tenant's name is a mistake.", "b", "a b", "invalid"},
		{"Case tells tenants apart.", "b", "ACME", "not yours"},
	} {
		j := rights.New(&desk{unauthorized: tc.forbidden}, of, time.Now)
		s, err := j.Scope(t.Context(), ann, tc.asked)
		got := string(s.Tenant())
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s got %q, want %q", tc.why, got, tc.want)
		}
	}
}
