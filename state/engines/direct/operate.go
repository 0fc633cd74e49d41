package direct

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// SetLabel is the label of a release's record that says which ServiceSet it belongs to: a
// digest, since a label's value is shorter than a name can be.
const SetLabel = "portico.dev/serviceset"

// setLabel is the label's value for a set.
func setLabel(ref engine.Ref) string {
	sum := sha256.Sum256([]byte(ref.Set.String()))
	return hex.EncodeToString(sum[:16])
}

// list reads the set's releases from the target: all that the engine has to remember.
func (w *worker) list(ctx context.Context, s *set) {
	w.mu.Lock()
	cluster := w.cluster
	w.mu.Unlock()
	found, err := cluster.List(ctx, SetLabel, setLabel(s.ref))
	w.mu.Lock()
	defer w.mu.Unlock()
	s.listing = false
	if err != nil {
		w.lost(err)
		return
	}
	w.tries, w.again, w.unreachable = 0, time.Time{}, nil
	s.listed = true
	for key, state := range found {
		s.service(key).release = &state
	}
}

// lost records that the target does not answer: it is asked again after half a second, then
// after twice as long each time, at most every minute.
func (w *worker) lost(err error) {
	const first, most = 500 * time.Millisecond, time.Minute
	now := w.engine.clock()
	w.again = now.Add(min(first<<min(w.tries, 10), most))
	w.tries++
	if w.unreachable == nil {
		w.unreachable = &engine.Unreachable{Since: now, Message: err.Error()}
	}
}

// load reads the chart and the values of a service.
func (w *worker) load(ctx context.Context, s *set, key engine.Key) {
	w.mu.Lock()
	svc := s.services[key]
	input := svc.input
	w.mu.Unlock()
	wanted, err := w.wanted(ctx, s.ref, input)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed(svc, "reading the chart", err)
		return
	}
	svc.helm, svc.wanted, svc.attempts = wanted, wanted.Digest(), 0
}

func (w *worker) wanted(ctx context.Context, ref engine.Ref, svc engine.Service) (helm.Wanted, error) {
	chart, err := w.engine.charts.Chart(ctx, svc.Source)
	if err != nil {
		return helm.Wanted{}, err
	}
	values, err := helm.ParseValues([]byte(svc.Values))
	if err != nil {
		return helm.Wanted{}, fmt.Errorf("reading the values: %w", err)
	}
	if err := helm.Check(chart, values); err != nil && !svc.Options.SkipSchemaValidation {
		return helm.Wanted{}, err
	}
	return translate(svc, chart, values, setLabel(ref)), nil
}

// apply installs or upgrades.
func (w *worker) apply(ctx context.Context, svc *service) {
	w.mu.Lock()
	cluster, wanted := w.cluster, svc.helm
	wanted.Retry = svc.attempts > 0 || svc.release != nil && svc.release.Status == helm.Failed
	w.mu.Unlock()
	state, err := cluster.Apply(ctx, wanted)
	w.mu.Lock()
	defer w.mu.Unlock()
	svc.health = nil
	if state.Status != "" && state.Status != helm.Absent {
		svc.release = &state
	}
	switch {
	case err != nil:
		w.failed(svc, "applying the release", err)
	case state.Status == helm.Failed:
		w.failed(svc, "applying the release", fmt.Errorf("%s", state.Message))
	default:
		svc.attempts = 0
	}
}

// remove takes a release off the target.
func (w *worker) remove(ctx context.Context, svc *service, key engine.Key) {
	w.mu.Lock()
	cluster, options := w.cluster, svc.input.Options
	w.mu.Unlock()
	err := cluster.Remove(ctx, key.Namespace, key.Name, translateRemoval(options))
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed(svc, "removing the release", err)
		return
	}
	svc.release, svc.health, svc.attempts = nil, nil, 0
}

// look asks how the objects of a release stand.
func (w *worker) look(ctx context.Context, svc *service, key engine.Key) {
	w.mu.Lock()
	cluster := w.cluster
	svc.stale = false
	w.mu.Unlock()
	problems, err := cluster.Health(ctx, key.Namespace, key.Name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.lost(err)
		svc.stale = true
		return
	}
	w.tries, w.again, w.unreachable = 0, time.Time{}, nil
	svc.health = &health{ready: len(problems) == 0}
	if len(problems) > 0 {
		svc.health.message = fmt.Sprintf("%s: %s", problems[0].Object, problems[0].Message)
	}
}
