package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// world is clusters with owners that obey a Rollout, in memory.
type world struct {
	rollout  statev1.Rollout
	revision string
	clusters map[string]*cluster
	now      time.Time
	again    time.Duration
	message  string
	news     []string
}

type cluster struct {
	Labels map[string]string
	// Want is the newest revision of a ClusterDeployment, At what its ServiceSet has.
	Want, At string
	// State is Deployed, Failed or empty: on its way.
	State string
	// recorded are the revisions that can be had.
	recorded map[string]bool
}

func newWorld() *world {
	return &world{clusters: map[string]*cluster{}, now: noon}
}

func (f *world) many() bool {
	return f.rollout.Spec.Subject.Kind == statev1.SubjectClusterDeployment
}

func (f *world) want(c *cluster) string {
	if f.many() {
		return c.Want
	}
	return f.revision
}

func (f *world) targets() []Target {
	var out []Target
	for name, c := range f.clusters {
		t := Target{Cluster: name, Labels: c.Labels, Want: f.want(c), At: c.At, Deployed: c.State == "Deployed", Failed: c.State == "Failed"}
		if t.Failed {
			t.Message = "Service default/web failed: no image"
		}
		out = append(out, t)
	}
	return out
}

// decide makes one pass of the rollout's controller. It says whether the status changed.
func (f *world) decide() bool {
	d := Decide(Input{
		Spec: f.rollout.Spec, Generation: f.rollout.Generation, Was: f.rollout.Status,
		Revision: f.revision, Targets: f.targets(), Now: f.now,
	})
	changed := !equality.Semantic.DeepEqual(d.Status, f.rollout.Status)
	f.rollout.Status, f.again, f.message = d.Status, d.Again, d.Message
	for _, n := range d.News {
		f.news = append(f.news, n.Type+" "+n.Reason+": "+n.Message)
	}
	return changed
}

// obey makes one pass of an owner's controller for a cluster. It says whether anything changed.
func (f *world) obey(name string) bool {
	c := f.clusters[name]
	if c.recorded == nil {
		c.recorded = map[string]bool{}
	}
	c.recorded[f.want(c)], c.recorded[c.At] = true, true
	a := RevisionFor(&f.rollout, Ask{Cluster: name, Newest: f.want(c), Has: c.At, Recorded: func(r string) bool { return !f.many() || c.recorded[r] }})
	if a.Revision == "" || a.Revision == c.At {
		return false
	}
	c.At, c.State = a.Revision, ""
	return true
}

// rest lets controllers work until nothing changes. It gives up on those that never do.
func (f *world) rest() {
	for range 1000 {
		moved := f.decide()
		for _, name := range slices.Sorted(maps.Keys(f.clusters)) {
			moved = f.obey(name) || moved
		}
		if !moved {
			return
		}
	}
	panic("the controllers never came to rest")
}

func (f *world) String() string {
	st := f.rollout.Status
	out := fmt.Sprintf("%s %s %s", f.now.Format(time.TimeOnly), st.Phase, st.Revision)
	if st.Stable != "" {
		out += ", stable " + st.Stable
	}
	if f.again > 0 {
		out += fmt.Sprintf(", again in %s", f.again)
	}
	out += "\n"
	if f.message != "" {
		out += "    " + f.message + "\n"
	}
	for _, w := range st.Waves {
		out += fmt.Sprintf("    wave %q: %d clusters, %d admitted, %d deployed, %d failed", w.Name, w.Clusters, w.Admitted, w.Deployed, w.Failed)
		if w.DeployedAt != nil {
			out += " since " + w.DeployedAt.UTC().Format(time.TimeOnly)
		}
		out += "\n"
	}
	var at []string
	for _, name := range slices.Sorted(maps.Keys(f.clusters)) {
		c := f.clusters[name]
		words := strings.TrimSpace(c.At + " " + strings.ToLower(c.State))
		if words == "" {
			words = "nothing"
		}
		at = append(at, name+" "+words)
	}
	out += "    " + strings.Join(at, ", ") + "\n"
	for _, n := range f.news {
		out += "    event " + n + "\n"
	}
	f.news = nil
	return out
}
