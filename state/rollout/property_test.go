package rollout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// watcher follows a fleet and holds its rollout to its promises. Waves are told apart by the
// label wave alone, so that it needs none of the code it watches to know who belongs where.
type watcher struct {
	*testing.T
	*world
	rand *rand.Rand
	// since says from when on every cluster of a wave is done without a break.
	since map[string]time.Time
	had   map[string]bool
	next  int
}

// Whatever happens to clusters: no more of a wave are changed than may be, none before the
// earlier waves have soaked, none beyond the failures that are allowed or in a pause; and when
// clusters behave, it ends.
func TestAnyFleet(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWatcher(t, seed)
			w.step(func() {})
			for range 60 {
				w.step(w.happen)
			}
			w.end()
		})
	}
}

func newWatcher(t *testing.T, seed uint64) *watcher {
	r := rand.New(rand.NewPCG(seed, 3))
	w := &watcher{T: t, world: newWorld(), rand: r, since: map[string]time.Time{}, had: map[string]bool{}}
	spec := &w.rollout.Spec
	spec.Subject = statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: "web"}
	if r.IntN(3) == 0 {
		spec.Subject = statev1.RolloutSubject{Kind: statev1.SubjectClusterDeployment}
	}
	amount := func(most int) *intstr.IntOrString {
		switch v := intstr.FromInt32(int32(1 + r.IntN(most))); r.IntN(3) {
		case 0:
			return nil
		case 1:
			v = intstr.FromString(fmt.Sprintf("%d%%", 1+r.IntN(100)))
			return &v
		default:
			return &v
		}
	}
	for i := range 1 + r.IntN(3) {
		wave := statev1.Wave{Name: fmt.Sprint(i), MaxUnavailable: amount(3), Soak: &metav1.Duration{Duration: time.Duration(r.IntN(3)) * time.Minute}}
		wave.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"wave": wave.Name}}
		spec.Waves = append(spec.Waves, wave)
	}
	if r.IntN(2) == 0 {
		spec.MaxFailures = amount(3)
	}
	if r.IntN(4) == 0 {
		spec.OnFailure = statev1.OnFailureContinue
	}
	w.revision = "v1"
	for range r.IntN(9) {
		w.add("v1")
	}
	w.rollout.Generation = 1
	w.rest()
	w.change()
	return w
}

func (w *watcher) add(at string) {
	w.next++
	c := &cluster{Labels: map[string]string{"wave": fmt.Sprint(w.rand.IntN(4))}, At: at, Want: w.revision}
	if at != "" {
		c.State = "Deployed"
		c.Want = at
	}
	w.clusters[fmt.Sprintf("c%02d", w.next)] = c
}

// change asks for something new, of one cluster or of all.
func (w *watcher) change() {
	w.next++
	w.revision = fmt.Sprintf("v%d", w.next)
	for _, c := range w.clusters {
		if w.rand.IntN(3) > 0 {
			c.Want = w.revision
		}
	}
}

func (w *watcher) any() *cluster {
	n := w.rand.IntN(max(len(w.clusters), 1))
	for _, t := range w.sorted() {
		if n--; n < 0 {
			return w.clusters[t.Cluster]
		}
	}
	return &cluster{}
}

func (w *watcher) sorted() []Target {
	return groups(statev1.RolloutSpec{Waves: []statev1.Wave{{}}}, w.targets(), func(Target) bool { return false })[0].members
}

func (w *watcher) happen() {
	switch w.rand.IntN(16) {
	case 0:
		w.change()
	case 1:
		w.add("")
	case 2:
		for name := range w.clusters {
			delete(w.clusters, name)
			break
		}
	case 3:
		w.rollout.Generation++
		w.rollout.Spec.Paused = !w.rollout.Spec.Paused
	case 4:
		w.any().State = ""
	case 5:
		if c := w.any(); c.At != "" {
			c.State = "Failed"
		}
	case 6, 7, 8:
		w.now = w.now.Add(time.Duration(w.rand.IntN(90)) * time.Second)
	default:
		if c := w.any(); c.At != "" {
			c.State = "Deployed"
		}
	}
}

// step lets something happen and the controllers work, and checks what they did.
func (w *watcher) step(happens func()) {
	w.Helper()
	happens()
	before := w.rollout.Status.Revision
	for range 100 {
		w.observe()
		was := map[string]string{}
		for name, c := range w.clusters {
			was[name] = c.At
		}
		moved := w.decide()
		if w.rollout.Status.Revision != before {
			clear(w.since) // soaking begins anew
			before = w.rollout.Status.Revision
			w.observe()
		}
		for name := range w.clusters {
			moved = w.obey(name) || moved
		}
		w.check(was)
		if !moved {
			return
		}
	}
	w.Fatal("the controllers never came to rest")
}

// observe notes since when each wave is done.
func (w *watcher) observe() {
	done := map[string]bool{}
	for _, t := range w.targets() {
		wave := w.waveOf(t)
		fine := t.changed() && (t.Deployed || t.Failed) || w.unchanged(t)
		if was, seen := done[wave]; !seen || was {
			done[wave] = fine
		}
	}
	for wave, fine := range done {
		if _, already := w.since[wave]; fine && !already {
			w.since[wave] = w.now
		} else if !fine {
			delete(w.since, wave)
		}
	}
	for wave := range w.since {
		if _, there := done[wave]; !there {
			delete(w.since, wave)
		}
	}
}

// unchanged says that a ClusterDeployment has had what it wants since before the rollout, or
// is new.
func (w *watcher) unchanged(t Target) bool {
	e := entriesOf(w.rollout.Status)[t.Cluster]
	return w.many() && (t.At == t.Want || t.At == "") && (len(e) == 0 || len(e) == 1 && e[0] == t.Want)
}

func (w *watcher) waveOf(t Target) string {
	for _, wave := range w.rollout.Spec.Waves {
		if wave.Name == t.Labels["wave"] {
			return wave.Name
		}
	}
	return "" // after all others
}

func (w *watcher) check(was map[string]string) {
	w.Helper()
	st, spec := w.rollout.Status, w.rollout.Spec
	if st.Phase == statev1.RolloutComplete || st.Phase == statev1.RolloutAborted {
		return
	}
	failed, changing := 0, map[string]int{}
	for _, t := range w.targets() {
		if t.changed() && t.Failed && !w.unchanged(t) {
			failed++
		}
		if t.changed() && !t.Deployed && !t.Failed && !w.unchanged(t) {
			changing[w.waveOf(t)]++
		}
	}
	for _, t := range w.targets() {
		if t.At == was[t.Cluster] || t.At != t.Want || w.many() && was[t.Cluster] == "" {
			continue
		}
		if base := entriesOf(st)[t.Cluster]; w.many() && len(base) == 1 {
			continue // it went back to what it had
		}
		wave := w.waveOf(t)
		if spec.Paused {
			w.Errorf("%s changes in a pause\n%s", t.Cluster, w)
		}
		if spec.OnFailure != statev1.OnFailureContinue && spec.Retry != st.Revision && failed > w.allowed() {
			w.Errorf("%s changes although %d clusters failed\n%s", t.Cluster, failed, w)
		}
		if n := changing[wave]; n > w.limitOf(wave) {
			w.Errorf("%d clusters of wave %q change at a time, %s among them; at most %d may\n%s", n, wave, t.Cluster, w.limitOf(wave), w)
		}
		w.checkEarlier(wave, t)
	}
}

func (w *watcher) checkEarlier(wave string, t Target) {
	w.Helper()
	for _, earlier := range w.rollout.Spec.Waves {
		if earlier.Name == wave {
			return
		}
		count, touched := 0, false
		for _, other := range w.targets() {
			if w.waveOf(other) == earlier.Name {
				count++
				touched = touched || !w.unchanged(other)
			}
		}
		since, done := w.since[earlier.Name]
		if count > 0 && touched && (!done || w.now.Sub(since) < earlier.Soak.Duration) {
			w.Errorf("%s of wave %q changes before wave %s has soaked (done %v since %s)\n%s", t.Cluster, wave, earlier.Name, done, since.Format(time.TimeOnly), w)
		}
	}
}

func (w *watcher) allowed() int {
	of := w.rollout.Spec.MaxFailures
	if of == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(of, len(w.clusters), false)
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *watcher) limitOf(wave string) int {
	all := 0
	for _, t := range w.targets() {
		if w.waveOf(t) == wave {
			all++
		}
	}
	of := w.rollout.Spec.Waves[len(w.rollout.Spec.Waves)-1].MaxUnavailable
	for _, wv := range w.rollout.Spec.Waves {
		if wv.Name == wave {
			of = wv.MaxUnavailable
		}
	}
	if of == nil {
		return all
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(of, all, true)
	if err != nil {
		w.Fatal(err)
	}
	return max(n, 1)
}

// end lets clusters behave, and somebody lift what keeps the rollout from going on.
func (w *watcher) end() {
	for range 100 {
		w.step(func() {
			w.rollout.Spec.Paused, w.rollout.Spec.Retry = false, w.rollout.Status.Revision
			for _, c := range w.clusters {
				if c.At != "" && c.State == "" {
					c.State = "Deployed"
				}
			}
			w.now = w.now.Add(w.again)
		})
	}
	if w.rollout.Status.Phase != statev1.RolloutComplete {
		w.Errorf("it did not end:\n%s", w)
	}
	for name, c := range w.clusters {
		if c.At != w.want(c) {
			w.Errorf("%s has %s in the end, and wants %s", name, c.At, w.want(c))
		}
	}
}
