package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"portico.dev/portico/internal/e2e"
)

const (
	idleClusters = 3
	mostIdle     = 3 // percent of one core
	settling     = time.Minute
)

// idle watches a plane that has nothing to do.
func idle(ctx context.Context, b *bench) error {
	if _, err := b.up(ctx); err != nil {
		return err
	}
	var all []e2e.Cluster
	for n := range idleClusters {
		all = append(all, e2e.Cluster{Name: fmt.Sprintf("idle-%d", n), Workers: 1, Message: "idle"})
	}
	if err := b.create(ctx, all); err != nil {
		return err
	}
	return b.watchIdle(ctx, fmt.Sprintf("%d clusters", idleClusters))
}

// watchIdle watches a plane with so much on it while nothing happens.
func (b *bench) watchIdle(ctx context.Context, load string) error {
	if err := pause(ctx, settling); err != nil {
		return err
	}
	before, err := b.look(ctx)
	if err != nil {
		return err
	}
	// Reading all objects is work for the API server, and not what the plane does by itself.
	if err := pause(ctx, 20*time.Second); err != nil {
		return err
	}
	before.at = time.Now()
	if before.time, err = b.processorTime(ownProgram); err != nil {
		return err
	}
	long := 5 * time.Minute
	if b.quick {
		long = time.Minute
	}
	if err := pause(ctx, long); err != nil {
		return err
	}
	after, err := b.look(ctx)
	if err != nil {
		return err
	}
	after.report(before, load)
	return nil
}

// look is what can be seen of a plane at one moment.
type look struct {
	at time.Time
	// time is processor time by program, requests are counted by verb and kind.
	time, requests map[string]float64
	versions       map[string]string
}

func (b *bench) look(ctx context.Context) (look, error) {
	l := look{at: time.Now()}
	var err error
	if l.time, err = b.processorTime(ownProgram); err != nil {
		return l, err
	}
	if l.requests, err = b.requests(ctx); err != nil {
		return l, err
	}
	l.versions, err = e2e.Versions(ctx, b.config)
	return l, err
}

// report says what has happened since, on a plane with so much on it.
func (l look) report(before look, load string) {
	took, all := l.at.Sub(before.at).Seconds(), 0.0
	for name := range l.time {
		all += l.time[name] - before.time[name]
	}
	figure(fmt.Sprintf("processor time of an idle plane with %s, over %.0f s", load, took), mostIdle, 100*all/took, "% of a core")
	for _, name := range slices.Sorted(maps.Keys(l.time)) {
		remark("  of that "+name, 100*(l.time[name]-before.time[name])/took, "% of a core")
	}
	writes := 0.0
	for _, what := range slices.Sorted(maps.Keys(l.requests)) {
		more := l.requests[what] - before.requests[what]
		if more == 0 {
			continue
		}
		talk("%.0f × %s", more, what)
		if isWrite(what) {
			writes += more
		}
	}
	figure("writes to the API server meanwhile, but for its own lease", 0, writes, "requests")
	changed := 0.0
	for name, version := range l.versions {
		if before.versions[name] != version && !ownLease(name) {
			changed++
			talk("changed: %s", name)
		}
	}
	figure("objects that have changed meanwhile, but for its own lease", 0, changed, "objects")
}

// isWrite says whether requests of a verb change something.
func isWrite(what string) bool {
	verb, _, _ := strings.Cut(what, " ")
	return slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}, verb)
}

// ownLease is what the API server writes by itself, to say that it lives.
func ownLease(name string) bool {
	return strings.HasPrefix(name, "leases.coordination.k8s.io: kube-system/apiserver-")
}

// requests are those that the API server has counted, by verb and kind. Its own leases, and
// questions that have the form of a write, are left out.
func (b *bench) requests(ctx context.Context) (map[string]float64, error) {
	clients, err := kubernetes.NewForConfig(b.config)
	if err != nil {
		return nil, err
	}
	text, err := clients.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		labels, ok := strings.CutPrefix(lines.Text(), "apiserver_request_total{")
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(labels, "} ")
		verb, resource, below := label(labels, "verb"), label(labels, "resource"), label(labels, "subresource")
		if resource == "leases" || strings.HasSuffix(resource, "reviews") {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the API server's metrics: %q: %w", lines.Text(), err)
		}
		out[strings.TrimSuffix(verb+" "+resource+"/"+below, "/")] += n
	}
	return out, lines.Err()
}

func label(labels, name string) string {
	_, rest, _ := strings.Cut(","+labels, ","+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
