package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/internal/e2e"
)

// mostDeletion is how long the deletion of a cluster may take.
const mostDeletion = 30 * time.Second

// What was made goes: a cluster with its deletion, everything with the plane's.
func TestNothingIsLeft(t *testing.T) {
	plane := newPlane(t)
	bare := hostCensus(t, plane.Data)
	s := &stage{Plane: plane, t: t}
	s.up()
	host, objects := s.settled()

	cluster := e2e.Cluster{Name: "passing", Workers: 1, Real: true, Message: "passing"}
	pretended := e2e.Cluster{Name: "pretended", Workers: 3, Message: "pretended"}
	s.apply(cluster.Object())
	s.apply(pretended.Object())
	s.awaitReady(cluster)
	s.awaitReady(pretended)
	if now := hostCensus(t, plane.Data).Minus(host); len(now) < 10 {
		t.Errorf("the census sees only %q of two clusters: it would not see what they leave either", now)
	}
	for _, c := range []e2e.Cluster{cluster, pretended} {
		if took := s.timed("deletion of "+c.Name, func() { s.remove(c.Key()) }); took > mostDeletion {
			t.Errorf("the deletion of %s took %.1fs, at most %s", c.Name, took.Seconds(), mostDeletion)
		}
	}
	s.same("after the deletion of all clusters", host, objects)

	s.timed("reset", func() { s.must(plane.Reset(s.limited())) })
	compare(t, "after the reset", bare, func() e2e.Census { return hostCensus(t, plane.Data) })
}

// settled waits until the plane has done what it does after its start, and takes a census.
func (s *stage) settled() (host, objects e2e.Census) {
	s.t.Helper()
	for quiet := 0; quiet < 3; quiet++ {
		time.Sleep(time.Second)
		now := s.objects()
		if len(now.Minus(objects))+len(objects.Minus(now)) > 0 {
			quiet = 0
		}
		objects = now
	}
	return hostCensus(s.t, s.Data), objects
}

func (s *stage) objects() e2e.Census {
	s.t.Helper()
	objects, err := e2e.Objects(s.limited(), s.config)
	s.must(err)
	return objects
}

// same fails unless everything is again as it was.
func (s *stage) same(when string, host, objects e2e.Census) {
	s.t.Helper()
	compare(s.t, when, host, func() e2e.Census { return hostCensus(s.t, s.Data) })
	compare(s.t, when, objects, s.objects)
}

// compare looks again for a while: the kernel takes its time with namespaces, and Kubernetes'
// garbage collector with what an object owned.
func compare(t *testing.T, when string, want e2e.Census, look func() e2e.Census) {
	t.Helper()
	var more, less e2e.Census
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		now := look()
		more, less = now.Minus(want), want.Minus(now)
		if len(more)+len(less) == 0 {
			return
		}
	}
	if len(more) > 0 {
		t.Errorf("%s there is more than before:\n%s", when, strings.Join(more, "\n"))
	}
	if len(less) > 0 {
		t.Errorf("%s something is missing:\n%s", when, strings.Join(less, "\n"))
	}
}

func hostCensus(t *testing.T, data string) e2e.Census {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found, err := e2e.Host(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
