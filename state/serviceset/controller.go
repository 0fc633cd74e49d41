package serviceset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/follow"
	"portico.dev/portico/kube/source/download"
	"portico.dev/portico/kube/source/store"
	"portico.dev/portico/state/engine"
)

// Controller hands ServiceSets to engines.
type Controller struct {
	kube client.Client
	// live reads past the cache: what values are made of is not kept in memory.
	live    client.Reader
	engines engines
	events  events.EventRecorder
	clock   fleet.Clock
	home    string
	bell    control.Bell
	follow  *follow.Objects
	kept    *kept
	heard   *heard
	// rulebook is nil where nobody is judged.
	rulebook *rulebook
	// remote is what is behind URLs: downloads, unless nobody may fetch.
	remote    remoteContents
	downloads *download.Downloads
	control   controller.Controller
}

// Config is what the controller is given.
type Config struct {
	// Engines are those that there are; a set names one by its label. Default is the name of the
	// one for sets that name none.
	Engines []engine.Engine
	Default string
	// Home is the system namespace.
	Home  string
	Clock fleet.Clock
	// Store keeps what policyRefs download over a restart; nil keeps it in memory.
	Store *store.Store
}

// New returns the controller; SetupWithManager registers it.
func New(mgr ctrl.Manager, config Config) *Controller {
	c := &Controller{
		kube: mgr.GetClient(), live: mgr.GetAPIReader(), engines: newEngines(config.Engines, config.Default),
		events: mgr.GetEventRecorder("portico-state"), clock: config.Clock, home: config.Home, bell: control.NewBell(),
		follow: follow.New(mgr.GetCache(), mgr.GetRESTMapper(), configMapKind, secretKind), kept: &kept{}, heard: &heard{},
		rulebook: newRulebook(mgr.GetCache(), mgr.GetAPIReader()),
	}
	log := func(err error) { mgr.GetLogger().Error(err, "keeping what was downloaded") }
	c.downloads = download.New(download.Config{Store: config.Store, Clock: config.Clock, Ring: c.bell.Ring, Log: log})
	c.remote = c.downloads
	return c
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var set kcm.ServiceSet
	err := c.kube.Get(ctx, req.NamespacedName, &set)
	switch {
	case apierrors.IsNotFound(err), err == nil && set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn: // gone, or another adapter's
		c.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading ServiceSet %s: %w", req, err)
	case set.DeletionTimestamp != nil:
		return c.unmake(ctx, &set)
	}
	return c.make(ctx, &set)
}

func (c *Controller) forget(set client.ObjectKey) {
	c.engines.forget(set)
	c.follow.Set(set, nil)
	c.heard.forget(set)
	c.remote.Keep(set)
}

// make tells the engine what is wanted, and writes how that stands.
func (c *Controller) make(ctx context.Context, set *kcm.ServiceSet) (reconcile.Result, error) {
	done, err := c.apply(ctx, set)
	c.hear(ctx, set)
	if _, known := fleet.NextOf(err); !known {
		return reconcile.Result{}, err
	}
	done.Now = c.clock()
	if err != nil {
		done.Problem, done.Waiting = fleet.Sentence(err), errors.Is(err, fleet.ErrNotYet)
	}
	was := set.DeepCopy()
	again := removalsOf(set, done).again
	set.Status = Status(set, done)
	if err := c.tellOverdue(ctx, was, set); err != nil {
		return reconcile.Result{}, err
	}
	return control.Result(sooner(fleet.Done(), again, done.Now), control.PatchStatus(ctx, c.kube, was, set))
}

// sooner is the next look, at the latest when time changes something about a removal.
func sooner(next fleet.Next, then, now time.Time) fleet.Next {
	if then.IsZero() {
		return next
	}
	until := max(then.Sub(now), time.Millisecond)
	if left, _ := next.Waiting(); left > 0 && left < until {
		return next
	}
	return fleet.Wait(cmp.Or(next.Reason(), "services to be removed"), until)
}

// apply has the set made by the engine that it asks for, after another one has let go of it.
func (c *Controller) apply(ctx context.Context, set *kcm.ServiceSet) (Outcome, error) {
	was, err := recordOf(set, c.engines.fallback)
	if err != nil {
		return Outcome{}, fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	}
	if err := mayReach(set, set.Namespace == c.home); err != nil {
		return Outcome{}, err // nothing is read for it, and no engine is asked to let go
	}
	saw, err := c.observe(ctx, set, was)
	done := Outcome{Saw: saw}
	if err != nil {
		return done, err
	}
	to, err := c.engines.wanted(set)
	if err != nil {
		return done, err
	}
	from, err := c.engines.having(was)
	if err != nil {
		return done, err
	}
	if err := c.stay(ctx, set, was, to, &saw); err != nil {
		return done, err
	}
	done.Saw = saw
	if from != nil && from != to && saw.Provider.Held == "" && !isPaused(set) {
		gone, err := c.handOver(ctx, set, saw, &done)
		if err != nil || !gone {
			return done, err
		}
		was, saw.Leaving = Record{}, nil
	} else if from != nil {
		to = from // who has the services goes on reporting while nothing may be changed
	}
	if done.Parts, err = Resolve(set, saw); err != nil {
		return done, err
	}
	if err := c.refuse(to, &done.Parts); err != nil {
		return done, err
	}
	next := was.next(set, to.Name(), done.Parts)
	if err := c.remember(ctx, set, next); err != nil {
		return done, err
	}
	return done, c.hand(ctx, set, to, next, &done)
}

// handOver has the engine that made the services remove them, for another one to make them anew.
func (c *Controller) handOver(ctx context.Context, set *kcm.ServiceSet, saw Observed, done *Outcome) (gone bool, err error) {
	was, err := recordOf(set, c.engines.fallback)
	if err != nil {
		return false, err
	}
	from := c.engines.byName[was.Engine]
	done.HandOver = fmt.Sprintf("engine %s removes its services before another one installs them", was.Engine)
	what := removalOf(set, was, saw)
	what.Leave = false // the next engine finds nothing, or both would be at work
	done.Report, err = takeOff(ctx, from, what, was)
	if err != nil || !done.Report.Gone {
		return false, err
	}
	from.Forget(client.ObjectKeyFromObject(set))
	done.HandOver, done.Report = "", engine.Report{}
	return true, nil
}

// refuse asks the engine what it cannot do of each part.
func (c *Controller) refuse(to engine.Engine, parts *Parts) error {
	var err error
	if parts.Target, err = Blame(parts.Target, to.Refuse(parts.Target)); err != nil || parts.Local == nil {
		return err
	}
	local, err := Blame(*parts.Local, to.Refuse(*parts.Local))
	parts.Local = &local
	return err
}

// hand gives each part to the engine. A part on the management cluster that is wanted no more is
// taken off there.
func (c *Controller) hand(ctx context.Context, set *kcm.ServiceSet, to engine.Engine, record Record, done *Outcome) error {
	var here engine.Report
	var err error
	switch {
	case done.Parts.Local != nil:
		if here, err = to.Apply(ctx, *done.Parts.Local); err != nil {
			return err
		}
	case record.Local && !done.Parts.Target.Paused && len(done.Saw.Unheard) == 0:
		if here, err = to.Remove(ctx, engine.Removal{Ref: localRef(set), Options: record.options()}); err != nil {
			return err
		}
		if here.Gone {
			record.Local = false
			if err := c.remember(ctx, set, record); err != nil {
				return err
			}
		}
	}
	report, err := to.Apply(ctx, done.Parts.Target)
	done.Report = retold(merged(report, here), done.Saw)
	return err
}

// unmake has the services removed, or leaves them where nobody can reach them any more.
func (c *Controller) unmake(ctx context.Context, set *kcm.ServiceSet) (reconcile.Result, error) {
	c.hear(ctx, set) // nobody waits for one that goes
	owner, err := c.cluster(ctx, set)
	if err != nil {
		return reconcile.Result{}, err
	}
	saw, err := c.depart(ctx, set, owner)
	if err != nil {
		return reconcile.Result{}, err
	}
	end := DecideEnd(set, saw)
	if saw.waits(set) {
		saw.Without = "" // it does not go on yet
	}
	c.tellWithout(set, owner, saw)
	if end.Release {
		if err := control.ReleaseFinalizer(ctx, c.kube, set, kcm.ServiceSetFinalizer); err != nil {
			return reconcile.Result{}, err
		}
		c.forget(client.ObjectKeyFromObject(set))
		c.tell(set, owner, end)
		return reconcile.Result{}, nil
	}
	was := set.DeepCopy()
	done := Outcome{Report: saw.Report, Problem: end.Held, Without: saw.Without, Saw: Observed{Provider: saw.Provider, Unheard: saw.Unheard}, Now: saw.Now}
	end.Next = sooner(end.Next, removalsOf(set, done).again, saw.Now)
	set.Status = Status(set, done)
	if err := c.tellOverdue(ctx, was, set); err != nil {
		return reconcile.Result{}, err
	}
	return control.Result(end.Next, control.PatchStatus(ctx, c.kube, was, set))
}

// SetupWithManager registers the controller and starts the engines.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	if c.engines.byName[c.engines.fallback] == nil {
		return fmt.Errorf("setting up the controller of ServiceSets: there is no engine %q", c.engines.fallback)
	}
	if err := index(mgr.GetFieldIndexer()); err != nil {
		return err
	}
	runs := []manager.RunnableFunc{c.listen, c.downloads.Start}
	for _, e := range c.engines.byName {
		runs = append(runs, e.Start)
	}
	for _, run := range runs {
		if err := mgr.Add(run); err != nil {
			return err
		}
	}
	var err error
	c.control, err = ctrl.NewControllerManagedBy(mgr).Named("state.serviceset").
		For(&kcm.ServiceSet{}).
		Watches(&kcm.ServiceSet{}, handler.EnqueueRequestsFromMapFunc(c.beside), builder.WithPredicates(control.Deletions())).
		Watches(&kcm.ClusterDeployment{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byCluster, client.Object.GetName)), builder.WithPredicates(turned())).
		Watches(&kcm.ServiceTemplate{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byTemplate, client.Object.GetName))).
		Watches(&kcm.StateManagementProvider{}, handler.EnqueueRequestsFromMapFunc(c.usersOfProvider)).
		Watches(&sourcev1.HelmChart{}, handler.EnqueueRequestsFromMapFunc(c.usersOfChart)).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(c.usersOfContent(configMapKind))).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.usersOfContent(secretKind))).
		WatchesRawSource(c.bell.Source()).
		Build(c)
	return err
}

// listen turns the engines' changes into looks at their sets.
func (c *Controller) listen(ctx context.Context) error {
	c.engines.listen(ctx, func(ref engine.Ref) { c.bell.Ring(ref.Set) })
	return nil
}
