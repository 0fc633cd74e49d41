package rollout

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Target is one cluster of the subject.
type Target struct {
	// Cluster is namespace/name, or "management".
	Cluster string
	Labels  map[string]string
	// Want is the newest revision of its owner, At the one that its ServiceSet has: empty if
	// there is none yet.
	Want, At string
	// Deployed means that everything of At is deployed, Failed that a service of it failed, as
	// Message says.
	Deployed, Failed bool
	Message          string
}

// changed means that the target has what is rolled out.
func (t Target) changed() bool { return t.At == t.Want }

// done means that it has it, deployed.
func (t Target) done() bool { return t.changed() && t.Deployed }

// broken means that it has it, and it failed there.
func (t Target) broken() bool { return t.changed() && t.Failed && !t.Deployed }

// Digest stands for the wishes of all targets, whatever their order.
func Digest(targets []Target) string {
	sorted := slices.SortedFunc(slices.Values(targets), byCluster)
	sum := sha256.New()
	for _, t := range sorted {
		fmt.Fprintf(sum, "%s %s\n", t.Cluster, t.Want)
	}
	return hex.EncodeToString(sum.Sum(nil)[:5])
}

func byCluster(a, b Target) int { return cmp.Compare(a.Cluster, b.Cluster) }

// group is a wave with its clusters.
type group struct {
	name    string
	members []Target
	// limit is how many may be changing or not deployed at the same time.
	limit int
	soak  time.Duration
}

// groups puts each target into the first wave that takes it, in the order of the spec; those
// that no wave takes are the last group, without a name. Targets on which the revision is
// deployed come before those that were admitted to it, and these before the others, so that a
// canary stays one when clusters join.
func groups(spec statev1.RolloutSpec, targets []Target, admitted func(Target) bool) []group {
	rank := func(t Target) int {
		switch {
		case admitted(t) && t.done():
			return 0
		case admitted(t):
			return 1
		}
		return 2
	}
	left := slices.SortedFunc(slices.Values(targets), func(a, b Target) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), byCluster(a, b))
	})
	var out []group
	for _, w := range spec.Waves {
		g := group{name: w.Name}
		if w.Soak != nil {
			g.soak = w.Soak.Duration
		}
		g.members, left = take(w, left)
		g.limit = limit(w.MaxUnavailable, len(g.members))
		out = append(out, g)
	}
	if len(left) > 0 {
		tail := group{members: left, limit: len(left)}
		if n := len(spec.Waves); n > 0 {
			tail.limit = limit(spec.Waves[n-1].MaxUnavailable, len(left))
		}
		out = append(out, tail)
	}
	for i := range out {
		slices.SortFunc(out[i].members, byCluster)
	}
	return out
}

// take splits off those that a wave takes.
func take(w statev1.Wave, from []Target) (taken, left []Target) {
	chosen := labels.Everything()
	if w.Selector != nil {
		var err error
		if chosen, err = metav1.LabelSelectorAsSelector(w.Selector); err != nil {
			chosen = labels.Nothing() // admission has said so
		}
	}
	for _, t := range from {
		if chosen.Matches(labels.Set(t.Labels)) {
			taken = append(taken, t)
		} else {
			left = append(left, t)
		}
	}
	if w.Count != nil {
		n := min(scaled(*w.Count, len(taken), math.Ceil), len(taken))
		left = append(left, taken[n:]...)
		taken = slices.Clone(taken[:n])
	}
	return taken, left
}

// limit is at least one, or nothing would ever happen.
func limit(of *intstr.IntOrString, all int) int {
	if of == nil {
		return max(all, 1)
	}
	return max(scaled(*of, all, math.Ceil), 1)
}

// scaled is a number, or that many percent of all. What is neither counts as 0; admission says so.
func scaled(of intstr.IntOrString, all int, round func(float64) float64) int {
	if of.Type == intstr.Int {
		return max(of.IntValue(), 0)
	}
	percent, ok := percentOf(of.StrVal)
	if !ok {
		return 0
	}
	return int(round(float64(percent) * float64(all) / 100))
}

// percentOf reads "10%".
func percentOf(text string) (int, bool) {
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0 && n <= 100
}
