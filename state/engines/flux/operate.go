package flux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/engine/verdict"
)

const (
	// loading bounds how long a chart may take to be fetched and read.
	loading = time.Minute
	// writing bounds a write to the management cluster.
	writing = 15 * time.Second
	// settling is how long the cache may take to tell of a removal before it is asked for again.
	settling = 500 * time.Millisecond
	// inquiring is how often Flux is asked about drift at most.
	inquiring = time.Second
	// looking bounds a look at the target.
	looking = 10 * time.Second
)

// errand is one service that something is done about.
type errand struct {
	*site
	set *set
	svc *service
	key engine.Key
}

// act starts what the steps of a set ask for, and returns when to do more.
func (s *site) act(ctx context.Context, one *set) time.Time {
	var due time.Time
	for _, key := range slices.SortedFunc(maps.Keys(one.services), engine.CompareKeys) {
		due = pace.Sooner(due, errand{s, one, one.services[key], key}.act(ctx))
	}
	s.prune(ctx)
	return due
}

func (e errand) act(ctx context.Context) time.Time {
	do := e.svc.stands.do
	if do == look || do == rest && e.svc.stale && e.set.owns(e.svc) && !e.svc.release.leaving {
		e.look(ctx)
	}
	due := e.inquire()
	switch {
	case e.svc.busy:
	case e.clock().Before(e.svc.next):
		return e.svc.next
	case do == load:
		e.operate(ctx, e.load())
	case do == write && e.pruning[e.svc.wanted.valuesName()]:
		// It is written once its Secret, which nobody seemed to need any more, is gone.
	case do == write:
		e.operate(ctx, e.write())
	case do == mark:
		e.operate(ctx, e.mark())
	case do == remove:
		e.operate(ctx, e.remove())
	case do == sweep && e.unreachable == nil:
		e.operate(ctx, e.sweep())
	case do == retry && e.clock().Sub(e.svc.inquired) >= inquiring:
		e.svc.inquired = e.clock()
		e.ask(e.svc)
	case e.set.owns(e.svc) && e.svc.input.Source.URL != e.svc.published && e.svc.asWanted():
		e.operate(ctx, e.publish())
	}
	return due
}

// inquire has Flux look for drift where something has moved that it has applied: by itself it
// looks by the clock. It returns when to do so, if that is later.
func (e errand) inquire() time.Time {
	svc := e.svc
	if !svc.touched || !e.set.owns(svc) || svc.release.stage != done || svc.release.frozen || svc.release.leaving {
		return time.Time{}
	}
	if svc.busy || !svc.asWanted() {
		return time.Time{} // what is about to be written is looked at anyway, and a question would break that off
	}
	if due := svc.inquired.Add(inquiring); e.clock().Before(due) {
		return due
	}
	svc.touched, svc.inquired = false, e.clock()
	e.ask(svc)
	return time.Time{}
}

// operation is something that takes time. What it returns is done under the site's lock, and
// records what has come of it.
type operation func(ctx context.Context) (record func())

// operate runs an operation beside the loop, and wakes the loop when it has ended.
func (e errand) operate(ctx context.Context, do operation) {
	e.svc.busy = true
	e.start(func() {
		record := do(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.svc.busy = false
		if ctx.Err() == nil {
			record()
		}
	})
}

func (s *site) start(do func()) {
	s.running++
	go func() {
		do()
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
		pace.Wake(s.wake)
	}()
}

// load reads the chart and tries the values on it.
func (e errand) load() operation {
	input, svc := e.svc.input, e.svc
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, loading)
		defer cancel()
		err := e.engine.check(ctx, input)
		return func() {
			if differs(svc.input, input) {
				return
			}
			if err != nil {
				e.failed(err)
				return
			}
			svc.checked, svc.refused, svc.failures = true, "", 0
		}
	}
}

func (e *Engine) check(ctx context.Context, svc engine.Service) error {
	chart, err := e.Charts.Chart(ctx, svc.Source)
	if err != nil {
		return err
	}
	values, err := helm.ParseValues([]byte(svc.Values))
	if err != nil {
		return fmt.Errorf("reading the values: %w: %w", fleet.ErrInvalid, err)
	}
	if svc.Options.SkipSchemaValidation {
		return nil
	}
	return helm.Check(chart, values)
}

// failed records that the chart will not do, or that nothing could be written.
func (e errand) failed(err error) {
	e.svc.refused, e.svc.again = fleet.Sentence(err), time.Time{}
	e.svc.failures++
	if next, known := fleet.NextOf(err); !known || !next.Stopped() {
		e.svc.again = e.clock().Add(pace.Doubled(5*time.Second, 5*time.Minute, e.svc.failures-1))
	}
}

// write has Flux install or upgrade the release.
func (e errand) write() operation {
	r := e.fresh()
	spec := *e.svc.wanted.spec
	r.Spec = &spec
	put(r.Annotations, wishNote, e.svc.wanted.digest)
	put(r.Annotations, versionNote, e.svc.input.Version)
	put(r.Annotations, settledNote, "")
	source, svc, values := e.svc.input.Source, e.svc, e.svc.wanted.values
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, writing)
		defer cancel()
		err := e.engine.publish(ctx, artifact(e.target, r.Namespace, source))
		if err == nil {
			err = e.engine.put(ctx, r, values)
		}
		return func() {
			if err != nil {
				e.wrote(err)
				return
			}
			svc.published, svc.failures, svc.refused, svc.leftover = source.URL, 0, "", false
			e.keep(r)
		}
	}
}

// fresh is the HelmRelease to be written, with what the set keeps with it.
func (e errand) fresh() *helmRelease {
	r := &helmRelease{ObjectMeta: metav1.ObjectMeta{Namespace: e.access.Namespace, Name: objectName(e.target, e.key)}}
	if e.svc.release != nil {
		r = e.svc.release.object.copy()
	}
	r.Status, r.ManagedFields = nil, nil
	if r.Labels == nil {
		r.Labels = map[string]string{}
	}
	if r.Annotations == nil {
		r.Annotations = map[string]string{}
	}
	r.Labels[targetLabel], r.Labels[setLabel] = e.id, setID(e.set.ref.Set)
	if wanted, ok := e.set.wants(e.key); ok {
		e.set.notes(wanted).write(r.Annotations)
	}
	return r
}

// put writes the HelmRelease: a new one, or the one that is known, unless somebody has changed
// it meanwhile. The values are there before it, and go with it.
func (e *Engine) put(ctx context.Context, r *helmRelease, values string) error {
	if err := e.own(ctx, r); err != nil {
		return err
	}
	secret := secretOf(r, values)
	if secret != nil {
		if err := e.kube.Create(ctx, secret); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("writing Secret %s: %w", secret.Name, err)
		}
	}
	if r.ResourceVersion != "" {
		return e.kube.Update(ctx, r)
	}
	if err := e.kube.Create(ctx, r); err != nil || secret == nil {
		return err
	}
	return e.entrust(ctx, secretOf(r, values))
}

// entrust has the Secret go with its HelmRelease, which is there by now. One that was left from an
// earlier HelmRelease may have been collected with that one a moment ago.
func (e *Engine) entrust(ctx context.Context, secret *corev1.Secret) error {
	change, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": secret.OwnerReferences}})
	if err == nil {
		err = e.kube.Patch(ctx, secret.DeepCopy(), client.RawPatch(types.MergePatchType, change))
	}
	if apierrors.IsNotFound(err) {
		err = e.kube.Create(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("writing Secret %s: %w", secret.Name, err)
	}
	return nil
}

// own has the HelmRelease collected when its ServiceSet goes and nobody looks after it any more.
// That is possible where both are in one namespace.
func (e *Engine) own(ctx context.Context, r *helmRelease) error {
	name := observeNotes(r.Annotations).set
	r.OwnerReferences = nil
	if name.Namespace != r.Namespace {
		return nil
	}
	set := &metav1.PartialObjectMetadata{}
	set.SetGroupVersionKind(serviceSetKind)
	err := e.kube.Get(ctx, name, set)
	switch {
	case apierrors.IsNotFound(err), apimeta.IsNoMatchError(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading ServiceSet %s: %w", name, err)
	}
	r.OwnerReferences = ownedBy(serviceSetKind.GroupVersion().String(), serviceSetKind.Kind, set)
	return nil
}

var serviceSetKind = kcm.GroupVersion.WithKind(kcm.ServiceSetKind)

// publish has Flux know where an archive is.
func (e *Engine) publish(ctx context.Context, a *sourcev1.ExternalArtifact) error {
	want := a.Status.Artifact
	if err := e.kube.Create(ctx, a); err != nil {
		if !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("writing ExternalArtifact %s: %w", a.Name, err)
		}
		if err := e.kube.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return fmt.Errorf("reading ExternalArtifact %s: %w", a.Name, err)
		}
	}
	if have := a.Status.Artifact; have != nil && have.URL == want.URL && have.Revision == want.Revision {
		return nil
	}
	a.Status.Artifact = want
	a.Status.Artifact.LastUpdateTime = metav1.NewTime(e.Clock())
	if err := e.kube.Status().Update(ctx, a); err != nil {
		return fmt.Errorf("writing the status of ExternalArtifact %s: %w", a.Name, err)
	}
	return nil
}

// publish tells Flux where the archive is now that it reads already.
func (e errand) publish() operation {
	source, svc, namespace := e.svc.input.Source, e.svc, e.access.Namespace
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, writing)
		defer cancel()
		err := e.engine.publish(ctx, artifact(e.target, namespace, source))
		return func() {
			if err != nil {
				e.later()
				return
			}
			svc.published, svc.failures = source.URL, 0
		}
	}
}

// mark writes down what the set has to remember of the release, and whether Flux shall leave it
// as it is.
func (e errand) mark() operation {
	r, was, freeze := e.fresh(), e.svc.release, e.svc.stands.freeze
	spec := *r.Spec
	spec.Suspend = freeze
	r.Spec = &spec
	if freeze && !was.frozen && was.stage == done {
		put(r.Annotations, settledNote, was.wish)
	}
	if was.wish == e.svc.wish {
		put(r.Annotations, versionNote, e.svc.input.Version)
	}
	return e.update(r)
}

func (e errand) update(r *helmRelease) operation {
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, writing)
		defer cancel()
		err := e.engine.own(ctx, r)
		if err == nil {
			err = e.engine.kube.Update(ctx, r)
		}
		return func() {
			if err != nil {
				e.later()
				return
			}
			e.svc.failures = 0
			e.keep(r)
		}
	}
}

// remove has Flux take the release off the target; or leave it there, if that is what the
// set's end shall do.
func (e errand) remove() operation {
	was, r := e.svc.release, e.fresh()
	spec := *r.Spec
	spec.Suspend = e.set.removing && (e.set.staying || was.leave)
	if o, ok := e.set.options[e.key]; ok {
		spec.Uninstall = translateUninstall(o)
	}
	r.Spec = &spec
	changed := !reflect.DeepEqual(*was.object.Spec, spec)
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, writing)
		defer cancel()
		var err error
		if changed {
			err = e.engine.kube.Update(ctx, r)
		}
		if err == nil {
			err = e.engine.kube.Delete(ctx, r, client.Preconditions{UID: &r.UID})
		}
		return func() {
			if client.IgnoreNotFound(err) != nil {
				e.later()
				return
			}
			// The cache will tell that it is leaving.
			e.svc.failures, e.svc.next = 0, e.clock().Add(settling)
		}
	}
}

// sweep takes away a first revision that Flux has begun and forgotten. That happens where
// helm-controller was killed before it could note what it had made, and the release was no more
// wanted when it came back: it then lets go of what it does not know. This is all that the
// engine ever writes to a target.
func (e errand) sweep() operation {
	cluster, svc, key := e.access.Cluster, e.svc, e.key
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, loading)
		defer cancel()
		left, err := cluster.Observe(ctx, key.Namespace, key.Name)
		if err == nil && left.Status == helm.Pending && left.Revision == 1 {
			err = cluster.Remove(ctx, key.Namespace, key.Name, helm.RemoveOptions{})
		}
		return func() {
			switch {
			case err == nil:
				svc.leftover, svc.failures = false, 0
			case answered(err):
				e.later()
			default:
				e.later()
				e.lost(err)
			}
		}
	}
}

// keep remembers an object as it was written, until the cache has it.
func (s *site) keep(r *helmRelease) { s.written[r.Name] = observe(r) }

// later has the same tried again in a moment: the management cluster did not take it.
func (e errand) later() {
	e.svc.failures++
	e.svc.next = e.clock().Add(pace.Doubled(200*time.Millisecond, time.Minute, e.svc.failures-1))
}

// wrote records that a release could not be written. That somebody else was faster is no
// failure: it is decided anew.
func (e errand) wrote(err error) {
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		e.later()
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		e.failed(fmt.Errorf("%w: Flux does not take the release: %w", fleet.ErrInvalid, err))
	default:
		e.failed(err)
	}
}

// look asks how the objects of a release stand. An answer also says that a failure that Flux
// tells of is not the target's.
func (e errand) look(ctx context.Context) {
	if e.svc.looking || e.unreachable != nil || e.looks() >= atOnce {
		return
	}
	svc, cluster, failure := e.svc, e.access.Cluster, ""
	if svc.release != nil && svc.release.stage == broken {
		failure = svc.release.message
	}
	known := ""
	if svc.release != nil {
		known = svc.release.digest
	}
	ask := question{cluster: cluster, key: e.key, kinds: known != svc.kinds, rules: verdict.Rules(e.set.want.Health)}
	described := ""
	if one := svc.release; one != nil && len(one.drift) > 0 {
		ask.drift, described = translateDrift(e.set.want.Policy), strings.Join(one.drift, "\n")
	}
	svc.looking, svc.stale = true, false
	e.start(func() {
		found, err := ask.put(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		svc.looking = false
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !answered(err):
			svc.stale = true
			e.lost(err)
			return
		case err != nil:
			svc.judge(e.clock(), "its objects cannot be looked at: "+fleet.Sentence(err))
		default:
			svc.judge(e.clock(), helm.Words(found.problems))
			svc.health.Unhealthy = verdict.Unhealthy(found.problems)
			if ask.kinds {
				svc.kinds, svc.has = known, found.kinds
				e.learn()
			}
			svc.differing, svc.described = found.drift, described
		}
		e.found()
		if failure != "" {
			svc.believed, svc.doubtful = true, failure
		}
	})
}

// question is what is asked of a target about one release.
type question struct {
	cluster Cluster
	key     engine.Key
	kinds   bool
	drift   *helm.DriftOptions
	rules   []helm.HealthRule
}

// answer is what the target says.
type answer struct {
	problems []helm.Problem
	kinds    []schema.GroupVersionKind
	drift    []string
}

func (q question) put(ctx context.Context) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, looking)
	defer cancel()
	if a.problems, err = q.cluster.Health(ctx, q.key.Namespace, q.key.Name); err != nil {
		return a, err
	}
	if len(q.rules) > 0 {
		judged, err := q.cluster.Judge(ctx, q.key, q.rules)
		if err != nil {
			return a, err
		}
		a.problems = helm.Both(a.problems, judged)
	}
	if q.kinds {
		if a.kinds, err = q.cluster.Kinds(ctx, q.key.Namespace, q.key.Name); err != nil {
			return a, err
		}
	}
	if q.drift != nil {
		differences, err := q.cluster.Drift(ctx, q.key.Namespace, q.key.Name, *q.drift)
		if err != nil {
			return a, err
		}
		a.drift = helm.Lines(differences)
	}
	return a, nil
}

func (s *site) looks() int {
	n := 0
	for _, one := range s.sets {
		for _, svc := range one.services {
			if svc.looking {
				n++
			}
		}
	}
	return n
}

// answered says whether an error is the target's own word: a refusal is an answer.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// probe asks a target that does not answer whether it does again.
func (s *site) probe(ctx context.Context) time.Time {
	switch {
	case s.unreachable == nil || s.probing:
		return time.Time{}
	case s.clock().Before(s.again):
		return s.again
	}
	cluster := s.access.Cluster
	s.probing = true
	s.start(func() {
		_, err := cluster.Health(ctx, "default", "none")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.probing = false
		if err != nil && !answered(err) {
			s.lost(err)
			return
		}
		s.found()
	})
	return time.Time{}
}

// judge records what was seen of the objects: in words what does not run, or nothing.
func (svc *service) judge(now time.Time, problem string) {
	looks := 0
	if problem != "" && svc.health != nil || svc.health != nil && svc.release != nil && svc.release.stage == working {
		looks = svc.health.Looks
	}
	svc.health = &pace.Health{Ready: problem == "", Message: problem, At: now, Looks: looks + 1}
}

// ask has Flux look at a service's release as it was seen. Where that has changed since, a request
// could break off what Flux does about it: then we look again whether there is anything to ask.
func (s *site) ask(svc *service) {
	r := svc.release
	s.annotate(r, map[string]any{"metadata": map[string]any{
		"resourceVersion": r.object.ResourceVersion, "annotations": s.request(""),
	}}, func() { svc.touched = true })
}

// forgive has Flux try again at once what may have failed because the target was silent.
func (s *site) forgive(r *release) {
	s.annotate(r, map[string]any{"metadata": map[string]any{"annotations": s.request(forgiving)}}, func() {})
}

func (s *site) request(why string) map[string]string {
	return map[string]string{askNote: s.clock().UTC().Format(time.RFC3339Nano) + why}
}

// freeze has Flux leave a release as it is.
func (s *site) freeze(r *release) {
	change := map[string]any{"spec": map[string]any{"suspend": true}}
	if r.stage == done {
		change["metadata"] = map[string]any{"annotations": map[string]string{settledNote: r.wish}}
	}
	s.annotate(r, change, func() {})
}

// annotate changes a HelmRelease beside the loop; stale is called if it is another one by now.
func (s *site) annotate(r *release, change map[string]any, stale func()) {
	run := s.engine.run
	text, err := json.Marshal(change)
	if run == nil || err != nil {
		return
	}
	object := &helmRelease{ObjectMeta: metav1.ObjectMeta{Namespace: r.object.Namespace, Name: r.object.Name}}
	s.start(func() {
		ctx, cancel := context.WithTimeout(run, writing)
		defer cancel()
		// What cannot be written now, Flux comes back to by itself.
		err := s.engine.kube.Patch(ctx, object, client.RawPatch(types.MergePatchType, text))
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case err == nil:
			s.keep(object)
		case apierrors.IsConflict(err):
			stale()
		}
	})
}

// prune removes archives' objects, and values, that no release refers to any more.
func (s *site) prune(ctx context.Context) {
	used := map[string]bool{}
	for _, one := range s.sets {
		for key, svc := range one.services {
			if svc.busy {
				return
			}
			if _, wanted := one.wants(key); wanted && svc.wanted.spec != nil {
				used[svc.wanted.spec.ChartRef.Name], used[svc.wanted.valuesName()] = true, true
			}
		}
	}
	var releases helmReleaseList
	var artifacts sourcev1.ExternalArtifactList
	var secrets metav1.PartialObjectMetadataList
	secrets.SetGroupVersionKind(secretKind.GroupVersion().WithKind(secretKind.Kind + "List"))
	here := []client.ListOption{client.InNamespace(s.access.Namespace), client.MatchingFields{targetLabel: s.id}, client.UnsafeDisableDeepCopy}
	if s.engine.cache.List(ctx, &releases, here...) != nil || s.engine.cache.List(ctx, &artifacts, here...) != nil ||
		s.engine.cache.List(ctx, &secrets, here...) != nil {
		return
	}
	for _, r := range s.written { // the cache may not have it yet
		r.object.Spec.use(used)
	}
	for _, r := range releases.Items {
		r.Spec.use(used)
	}
	for _, a := range artifacts.Items {
		s.discard(ctx, used, &a)
	}
	for _, secret := range secrets.Items {
		secret.SetGroupVersionKind(secretKind)
		s.discard(ctx, used, &secret)
	}
}

var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")

// discard deletes an object that is not used.
func (s *site) discard(ctx context.Context, used map[string]bool, o client.Object) {
	name, uid := o.GetName(), o.GetUID()
	if used[name] || s.pruned[uid] {
		return
	}
	s.pruned[uid], s.pruning[name] = true, true
	s.start(func() {
		ctx, cancel := context.WithTimeout(ctx, writing)
		defer cancel()
		err := s.engine.kube.Delete(ctx, o, client.Preconditions{UID: &uid})
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pruning, name)
		if client.IgnoreNotFound(err) != nil {
			delete(s.pruned, uid) // another pass tries again
		}
	})
}

// use marks the names of what a release refers to.
func (s *helmReleaseSpec) use(used map[string]bool) {
	if s == nil {
		return
	}
	used[s.ChartRef.Name] = true
	for _, ref := range s.ValuesFrom {
		used[ref.Name] = true
	}
}

// valuesName is that of the Secret with the values; empty if there are none.
func (w wanted) valuesName() string {
	if w.spec == nil || len(w.spec.ValuesFrom) == 0 {
		return ""
	}
	return w.spec.ValuesFrom[0].Name
}
