package deployment

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/kube/helm"
)

// story is what goes into a scenario.
type story struct {
	d       kcm.ClusterDeployment
	saw     Observed
	failure failure
}

// failure is an operation that fails, with the words that it fails with, and how it leaves
// the release.
type failure struct {
	Operation, Error string
	Release          helm.State
}

func read(in *scenario.Input) (story, error) {
	s := story{saw: Observed{Now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}}
	if err := in.Decode("deployment.yaml", &s.d); err != nil {
		return s, err
	}
	if in.Has("failure.yaml") {
		if err := in.Decode("failure.yaml", &s.failure); err != nil {
			return s, err
		}
	}
	return s, in.Decode("observed.yaml", &s.saw)
}

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		s, err := read(in)
		if err != nil {
			return nil, err
		}
		w := &world{d: *s.d.DeepCopy(), saw: s.saw, failure: s.failure}
		plan := Decide(&s.d, s.saw)
		done := w.carryOut(plan.Operations)
		status := Status(&w.d, s.saw, done)
		sections := []scenario.Section{
			scenario.Text("plan", planLines(plan)...),
			scenario.DatedConditions("conditions", status.Conditions),
			scenario.Text("events", eventLines(Events(s.d.Status.Conditions, status.Conditions, done))...),
		}
		status.Conditions = nil
		end, err := end(s)
		return append(sections, scenario.YAML("status", status), scenario.Text("end", end)), err
	})
}

// end is where the story leads when everybody does their part. It does not depend on how
// often we are interrupted on the way: whatever prefix of a plan was carried out before we
// died, deciding again leads to the same world, and there the plan is empty.
func end(s story) (string, error) {
	want, err := settle(s, nil)
	if err != nil {
		return "", err
	}
	for pass := range 10 {
		for prefix := range 4 {
			got, err := settle(s, map[int]int{pass: prefix})
			if err != nil {
				return "", err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return "", fmt.Errorf("killed in pass %d after %d operations, the end is another (-want +got):\n%s", pass, prefix, diff)
			}
		}
	}
	return want, nil
}

// settle makes passes until nothing is left to do, killed in those passes after that many
// operations, and describes the world at the end.
func settle(s story, kills map[int]int) (string, error) {
	w := &world{d: *s.d.DeepCopy(), saw: s.saw}
	for pass := range 20 {
		plan := Decide(&w.d, w.saw)
		if len(plan.Operations) == 0 && !w.move() {
			return w.String(), nil
		}
		ops := plan.Operations
		if n, kill := kills[pass]; kill && n < len(ops) {
			ops = ops[:n]
		}
		w.carryOut(ops)
	}
	return "", fmt.Errorf("after 20 passes there is still something to do: %v", Decide(&w.d, w.saw).Operations)
}

// world is what operations change, as simple as it can be while keeping the promises that the
// real ones keep.
type world struct {
	d       kcm.ClusterDeployment
	saw     Observed
	failure failure
}

func (w *world) carryOut(ops []Operation) Outcome {
	for i, op := range ops {
		if f := w.failure; op.String() == f.Operation {
			w.saw.Release = f.Release
			return Outcome{Done: ops[:i], Release: w.saw.Release, Failed: op, Err: fmt.Errorf("%w: %s", fleet.ErrInvalid, f.Error)}
		}
		w.do(op)
	}
	return Outcome{Done: ops, Release: w.saw.Release}
}

func (w *world) do(op Operation) {
	switch op := op.(type) {
	case Claim:
		w.d.Finalizers = append(w.d.Finalizers, kcm.ClusterDeploymentFinalizer)
		metav1.SetMetaDataLabel(&w.d.ObjectMeta, kcm.ComponentLabel, kcm.ComponentKCM)
	case StoreDocument:
		w.setStored(op.Kind, op.Text)
	case DropDocument:
		w.setStored(op.Kind, "")
	case ApplyRelease:
		revision := w.saw.Release.Revision
		if s := w.saw.Release.Status; s != helm.Failed && s != helm.Pending {
			revision++
		}
		w.saw.Release = helm.State{
			Status: helm.Deployed, Revision: revision, Digest: w.saw.Rendering.Digest,
			Chart: w.saw.Chart.Name, ChartVersion: w.saw.Chart.Version, Since: w.saw.Now,
		}
	case DeleteServiceSets:
		for i := range w.saw.ServiceSets {
			if slices.Contains(op.Names, w.saw.ServiceSets[i].Name) {
				w.saw.ServiceSets[i].Deleting = true
			}
		}
	case CleanCloud:
		w.saw.Cloud = Cloud{Looked: true}
	case DeleteCluster:
		gone := *w.saw.Cluster
		gone.Deleting = true
		w.saw.Cluster = &gone
	case Unblock:
		w.saw.InfrastructureBlocked = false
	case RemoveRelease:
		w.saw.Release = helm.State{Status: helm.Absent}
		w.saw.Adopted = nil
	case Disclaim:
		w.d.Finalizers = nil
	}
}

func (w *world) setStored(kind DocumentKind, text string) {
	if kind == AuthenticationDocument {
		w.saw.Authentication.Stored = text
		return
	}
	w.saw.AuditPolicy.Stored = text
}

// move is what others do meanwhile: what is being deleted goes, and time passes.
func (w *world) move() bool {
	for i, s := range w.saw.ServiceSets {
		if s.Deleting {
			w.saw.ServiceSets = slices.Delete(slices.Clone(w.saw.ServiceSets), i, i+1)
			return true
		}
	}
	if w.saw.Cluster != nil && w.saw.Cluster.Deleting && !w.saw.InfrastructureBlocked {
		w.saw.Cluster = nil
		return true
	}
	if !w.d.DeletionTimestamp.IsZero() && mustClean(&w.d, w.saw) {
		w.saw.Now = w.saw.Now.Add(cloudPatience) // the child never answers
		return true
	}
	if left, ok := Decide(&w.d, w.saw).Next.Waiting(); ok && left > 0 && resting(w.saw) > 0 {
		w.saw.Now = w.saw.Now.Add(left)
		return true
	}
	return false
}

func (w *world) String() string {
	return fmt.Sprintf("finalizers %v\nrelease %s %s %s\ncluster %v\nserviceSets %v\nauthentication %q\naudit %q",
		w.d.Finalizers, w.saw.Release.Status, w.saw.Release.Digest, w.saw.Release.Chart,
		w.saw.Cluster != nil, len(w.saw.ServiceSets), w.saw.Authentication.Stored, w.saw.AuditPolicy.Stored)
}

func planLines(p Plan) []string {
	var lines []string
	for _, op := range p.Operations {
		lines = append(lines, op.String())
	}
	switch left, waits := p.Next.Waiting(); {
	case p.Next.Stopped():
		lines = append(lines, "stop: "+p.Next.Reason())
	case waits && left > 0:
		lines = append(lines, fmt.Sprintf("wait at most %s for %s", left, p.Next.Reason()))
	case waits:
		lines = append(lines, "wait for "+p.Next.Reason())
	}
	return lines
}

func eventLines(list []Event) []string {
	var lines []string
	for _, e := range list {
		lines = append(lines, e.Type+" "+e.Reason)
	}
	return lines
}
