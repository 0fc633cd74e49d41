package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/shadow"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/serviceset"
)

// entry is a service as it stands in a ServiceSet.
type entry = kcm.ServiceWithValues

// model is an engine that deploys at once whatever it is offered, and an adapter for it.
type model struct {
	kube    *shadow.Client
	content *contents
	now     func() time.Time
	preview *serviceset.Preview
	seen    Seen
	// have is what is on the clusters, by set.
	have map[types.NamespacedName]map[engine.Key]thing
	// attached is what policyRefs led to before the changes; empty where nobody asks.
	attached map[types.NamespacedName]map[engine.Key]thing
	// unseen says which sets could not be looked into, for want of rights.
	unseen []string
}

// thing is a service on a cluster.
type thing struct {
	entry
	// problem is why it is not deployed; empty if it is.
	problem string
	// content tells apart what its values and manifests are; empty where nobody asks.
	content string
}

// newModel begins with what the sets say is on the clusters. What was offered and is on its way
// arrives; what has failed stays so until something else is wanted.
func newModel(ctx context.Context, in Input, w *world) (*model, error) {
	m := &model{kube: w.kube, content: w.content, now: in.Clock, have: map[types.NamespacedName]map[engine.Key]thing{}, attached: map[types.NamespacedName]map[engine.Key]thing{}}
	m.see(in.Seen)
	var sets kcm.ServiceSetList
	if err := m.kube.List(ctx, &sets); err != nil {
		return nil, err
	}
	for _, set := range sets.Items {
		there := map[engine.Key]thing{}
		for _, e := range set.Spec.Services {
			there[keyOf(e)] = thing{entry: e}
		}
		for _, s := range set.Status.Services {
			key := engine.Key{Namespace: s.Namespace, Name: s.Name}
			old, offered := there[key]
			switch {
			case offered && s.State == kcm.ServiceFailed:
				old.problem = cmp.Or(s.FailureMessage, "it has failed")
				there[key] = old
			case !offered && s.State != kcm.ServiceDeleted && s.State != kcm.ServicePending:
				there[key] = thing{entry: entry{Namespace: s.Namespace, Name: s.Name, Template: s.Template, Version: s.Version}}
			}
		}
		m.have[client.ObjectKeyFromObject(&set)] = there
	}
	return m, nil
}

func keyOf(e entry) engine.Key { return service.KeyOf(e.Namespace, e.Name) }

// advance does what each set asks for now, and says what that was.
func (m *model) advance(ctx context.Context) ([]Step, error) {
	var sets kcm.ServiceSetList
	if err := m.kube.List(ctx, &sets); err != nil {
		return nil, err
	}
	var out []Step
	for i := range sets.Items {
		set := &sets.Items[i]
		steps, err := m.advanceSet(ctx, set, sets.Items)
		if err != nil {
			return nil, fmt.Errorf("looking at ServiceSet %s/%s: %w", set.Namespace, set.Name, err)
		}
		out = append(out, steps...)
	}
	return out, nil
}

func (m *model) advanceSet(ctx context.Context, set *kcm.ServiceSet, all []kcm.ServiceSet) ([]Step, error) {
	_, paused := set.Annotations[kcm.ServiceSetPausedAnnotation]
	switch {
	case set.DeletionTimestamp != nil && followed(set, all):
		return nil, nil
	case set.DeletionTimestamp != nil:
		return m.remove(ctx, set)
	case paused:
		return nil, nil
	}
	if err := control.EnsureFinalizer(ctx, m.kube, set, kcm.ServiceSetFinalizer); err != nil {
		return nil, err
	}
	saw, err := m.look(ctx, set)
	if err != nil {
		return nil, err
	}
	steps := m.make(set, saw)
	for i := range steps {
		if steps[i].Diff, err = m.diff(ctx, set, steps[i]); err != nil {
			return nil, fmt.Errorf("comparing service %s/%s: %w", steps[i].Namespace, steps[i].Name, err)
		}
	}
	return append(steps, m.attach(set, saw)...), m.report(ctx, set)
}

// followed says whether a set that depends on this one is on its way out too: that goes first.
func followed(set *kcm.ServiceSet, all []kcm.ServiceSet) bool {
	return slices.ContainsFunc(all, func(o kcm.ServiceSet) bool {
		notes, err := service.NotesOf(&o)
		return err == nil && o.Namespace == set.Namespace && o.Spec.Cluster == set.Spec.Cluster && o.DeletionTimestamp != nil && slices.Contains(notes.After, set.Name)
	})
}

// make takes off what is not wanted, in the reverse order of its dependencies, and puts there what is.
func (m *model) make(set *kcm.ServiceSet, saw sight) []Step {
	name := client.ObjectKeyFromObject(set)
	there := m.have[name]
	if there == nil {
		there = map[engine.Key]thing{}
		m.have[name] = there
	}
	wanted := map[engine.Key]entry{}
	for _, e := range set.Spec.Services {
		if !uninstalled(e) {
			wanted[keyOf(e)] = e
		}
	}
	steps := m.takeOff(set, wanted)
	for _, e := range set.Spec.Services {
		key := keyOf(e)
		old, is := there[key]
		if _, ok := wanted[key]; !ok {
			continue
		}
		now := thing{e, saw.problems[key], saw.contents[key]}
		kept := is && same(old.entry, e)
		fresh := kept && old.content != "" && now.content != "" && old.content != now.content
		if kept && !fresh && (old.problem == now.problem || now.problem == "") {
			continue // where it has failed, nothing about it is new
		}
		there[key] = now
		if !kept || fresh {
			made := step(set, old.entry, e, now.problem)
			made.fresh = old.content != now.content
			steps = append(steps, made)
		}
	}
	return steps
}

// attach deploys again what policyRefs lead to, where a ConfigMap or Secret makes something else of it.
func (m *model) attach(set *kcm.ServiceSet, saw sight) []Step {
	there := m.attached[client.ObjectKeyFromObject(set)]
	var steps []Step
	for key, old := range there {
		now, is := saw.attached[key]
		if !is || old.content == now.content {
			continue
		}
		there[key] = now
		steps = append(steps, step(set, old.entry, now.entry, now.problem))
	}
	slices.SortFunc(steps, func(a, b Step) int { return cmp.Compare(a.Name, b.Name) })
	return steps
}

// takeOff removes what nobody wants and nothing that stays or has yet to go depends on.
func (m *model) takeOff(set *kcm.ServiceSet, wanted map[engine.Key]entry) []Step {
	there := m.have[client.ObjectKeyFromObject(set)]
	notes, err := service.NotesOf(set)
	if err != nil {
		notes = service.Notes{} // the adapter says so; what is there goes in any order
	}
	needed := map[string]bool{}
	for key := range there {
		for _, on := range notes.DependsOn[key.String()] {
			needed[on] = true
		}
	}
	var going []entry
	for key, old := range there {
		if _, is := wanted[key]; !is && !needed[key.String()] {
			going = append(going, old.entry)
		}
	}
	slices.SortFunc(going, func(a, b entry) int { return engine.CompareKeys(keyOf(a), keyOf(b)) })
	var steps []Step
	for _, e := range going {
		delete(there, keyOf(e))
		steps = append(steps, step(set, e, entry{}, ""))
	}
	return steps
}

// remove takes everything off, and lets the set go when nothing is left.
func (m *model) remove(ctx context.Context, set *kcm.ServiceSet) ([]Step, error) {
	name := client.ObjectKeyFromObject(set)
	steps := m.takeOff(set, nil)
	if len(steps) == 0 || len(m.have[name]) == 0 {
		delete(m.have, name)
		return steps, control.ReleaseFinalizer(ctx, m.kube, set, kcm.ServiceSetFinalizer)
	}
	return steps, m.report(ctx, set)
}

// report writes the set's status as the adapter does.
func (m *model) report(ctx context.Context, set *kcm.ServiceSet) error {
	return m.tell(ctx, set, m.reportOf(client.ObjectKeyFromObject(set)))
}

// reportOf is what an engine says of a set.
func (m *model) reportOf(set types.NamespacedName) engine.Report {
	var report engine.Report
	for key, t := range m.have[set] {
		r := engine.ServiceReport{Key: key, Kind: engine.Helm, Template: t.Template, Version: cmp.Or(t.Version, t.Template), State: engine.Deployed, Digest: "planned"}
		if t.problem != "" {
			r.State, r.Message = engine.Failed, t.problem
		}
		report.Services = append(report.Services, r)
	}
	slices.SortFunc(report.Services, func(a, b engine.ServiceReport) int { return engine.CompareKeys(a.Key, b.Key) })
	return report
}

func (m *model) tell(ctx context.Context, set *kcm.ServiceSet, report engine.Report) error {
	notes, err := service.NotesOf(set)
	if err != nil {
		return err
	}
	was := set.DeepCopy()
	set.Status = serviceset.Status(set, serviceset.Outcome{Report: report, Saw: serviceset.Observed{Notes: notes, Provider: serviceset.Provider{Ready: true}}, Now: m.now()})
	return control.PatchStatus(ctx, m.kube, was, set)
}

func step(set *kcm.ServiceSet, before, now entry, problem string) Step {
	key := keyOf(now)
	if now.Name == "" {
		key = keyOf(before)
	}
	s := Step{
		Set: set.Namespace + "/" + set.Name, From: ownerOf(set), Namespace: key.Namespace, Name: key.Name,
		Before: versionOf(before), Now: versionOf(now), Problem: problem, before: before, now: now, target: targetOf(set),
	}
	switch {
	case now.Name == "":
		s.Action = Remove
	case before.Name == "":
		s.Action = Install
	case s.Before != s.Now:
		s.Action = Upgrade
	default:
		s.Action = Reconfigure
	}
	return s
}

func versionOf(e entry) Version {
	return Version{Template: e.Template, Version: cmp.Or(e.Version, e.Template)}
}

// ownerOf says whose services are in a set.
func ownerOf(set *kcm.ServiceSet) string {
	switch {
	case set.Spec.MultiClusterService != "":
		return kcm.MultiClusterServiceKind + " " + set.Spec.MultiClusterService
	case set.Spec.NamespacedMultiClusterService != "":
		return "NamespacedMultiClusterService " + set.Namespace + "/" + set.Spec.NamespacedMultiClusterService
	}
	return kcm.ClusterDeploymentKind + " " + set.Namespace + "/" + set.Spec.Cluster
}

func same(a, b entry) bool { return equality.Semantic.DeepEqual(a, b) }

func uninstalled(e entry) bool { return e.HelmAction != nil && *e.HelmAction == kcm.HelmUninstall }

// endClusters plays the end of clusters that are deleted: their services go first.
func (m *model) endClusters(ctx context.Context) error {
	var clusters kcm.ClusterDeploymentList
	if err := m.kube.List(ctx, &clusters); err != nil {
		return err
	}
	for i := range clusters.Items {
		d := &clusters.Items[i]
		if d.DeletionTimestamp == nil {
			continue
		}
		if err := m.endCluster(ctx, d); err != nil {
			return fmt.Errorf("looking at the end of ClusterDeployment %s/%s: %w", d.Namespace, d.Name, err)
		}
	}
	return nil
}

// endCluster deletes the sets of a cluster that is deleted, and lets it go when they are gone.
func (m *model) endCluster(ctx context.Context, d *kcm.ClusterDeployment) error {
	var sets kcm.ServiceSetList
	if err := m.kube.List(ctx, &sets, client.InNamespace(d.Namespace)); err != nil {
		return err
	}
	left := false
	for i := range sets.Items {
		if set := &sets.Items[i]; set.Spec.Cluster == d.Name {
			left = true
			if err := client.IgnoreNotFound(m.kube.Delete(ctx, set)); err != nil {
				return err
			}
		}
	}
	if left {
		return nil
	}
	was := d.DeepCopy()
	for _, f := range d.Finalizers {
		controllerutil.RemoveFinalizer(d, f)
	}
	return client.IgnoreNotFound(control.Patch(ctx, m.kube, was, d))
}
