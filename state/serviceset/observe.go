package serviceset

import (
	"context"
	"errors"
	"fmt"
	"slices"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/follow"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/kube/source/download"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/values"
)

// look is one pass of reading over a set.
type look struct {
	c      *Controller
	set    *kcm.ServiceSet
	config service.Config
	saw    Observed
	// followed are the objects whose changes matter to the set, beyond those that its spec names.
	followed []follow.Object
	// asked says that the facts were read, may what the set may have read, once that is known.
	asked bool
	may   *authority
	// places are those that policyRefs have manifests downloaded from.
	places []download.Place
}

func (c *Controller) observe(ctx context.Context, set *kcm.ServiceSet, was Record) (Observed, error) {
	saw, err := c.look(ctx, set, was)
	if err != nil {
		return saw, err
	}
	return saw, c.follow.Watch(c.control)
}

// look reads what a set is resolved from. Whatever becomes of it: what was read is followed, so
// that its change brings us back.
func (c *Controller) look(ctx context.Context, set *kcm.ServiceSet, was Record) (Observed, error) {
	l := &look{c: c, set: set, saw: Observed{
		Templates: map[string]Template{}, Values: map[string]values.Source{}, Home: set.Namespace == c.home, Leaving: was.leaving(set), kept: c.kept,
	}}
	var err error
	if l.config, err = configOf(set.Spec.Provider); err != nil {
		return l.saw, err
	}
	l.saw.Precedence = l.config.ValuesPrecedence
	if l.saw.Notes, err = service.NotesOf(set); err != nil {
		return l.saw, fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	}
	if l.saw.Provider, err = c.provider(ctx, set); err != nil {
		return l.saw, err
	}
	err = l.all(ctx)
	c.follow.Set(client.ObjectKeyFromObject(set), l.followed)
	if err == nil {
		c.remote.Keep(client.ObjectKeyFromObject(set), l.places...)
	}
	return l.saw, err
}

func (l *look) follow(o follow.Object) {
	l.followed = append(l.followed, o)
	l.c.follow.Add(client.ObjectKeyFromObject(l.set), o)
}

// address follows what leads to the target: other credentials may open what was shut.
func (l *look) address(ctx context.Context) error {
	if l.set.Spec.Provider.SelfManagement || l.set.Spec.Cluster == "" {
		return nil // itself, or none yet: a set that is only tried
	}
	cluster := client.ObjectKey{Namespace: l.set.Namespace, Name: l.set.Spec.Cluster}
	found, err := l.read(ctx, sveltosClusterKind, cluster)
	if err != nil {
		return err
	}
	l.follow(follow.Object{Kind: secretKind, Key: remote.RefOf(cluster, found).Secret})
	return nil
}

func (l *look) all(ctx context.Context) error {
	if err := l.address(ctx); err != nil {
		return err
	}
	if err := l.judge(ctx); err != nil {
		return err
	}
	for _, svc := range l.set.Spec.Services {
		if err := l.template(ctx, svc.Template); err != nil {
			return err
		}
		for _, from := range svc.ValuesFrom {
			if err := l.values(ctx, from); err != nil {
				return err
			}
		}
		if values.IsTemplate(svc.Values) {
			if _, _, err := l.facts(ctx); err != nil {
				return err
			}
		}
	}
	for _, held := range l.saw.Notes.Held { // its status says what kind of service waits
		if err := l.template(ctx, held.Template); err != nil {
			return err
		}
	}
	return l.attach(ctx)
}

// provider is how the StateManagementProvider stands. The built-in one need not exist.
func (c *Controller) provider(ctx context.Context, set *kcm.ServiceSet) (Provider, error) {
	name := set.Spec.Provider.Name
	var p kcm.StateManagementProvider
	err := c.kube.Get(ctx, client.ObjectKey{Name: name}, &p)
	switch {
	case apierrors.IsNotFound(err) && (name == "" || name == kcm.DefaultStateManagementProviderName):
		return Provider{Ready: true}, nil
	case apierrors.IsNotFound(err):
		return Provider{Held: fmt.Sprintf("StateManagementProvider %q does not exist: create it", name)}, nil
	case err != nil:
		return Provider{}, fmt.Errorf("reading StateManagementProvider %s: %w", name, err)
	}
	return providerOf(&p), nil
}

func providerOf(p *kcm.StateManagementProvider) Provider {
	out := Provider{Ready: p.Status.Ready, Suspended: p.Spec.Suspend}
	switch {
	case p.Spec.Suspend:
		out.Held = fmt.Sprintf("StateManagementProvider %q is suspended: nothing is changed until its spec.suspend is false", p.Name)
	case !p.Status.Ready:
		out.Held = fmt.Sprintf("StateManagementProvider %q is not ready: nothing is changed until it is; its conditions say what is missing", p.Name)
	}
	return out
}

// cluster returns the ClusterDeployment of a ServiceSet, nil if there is none.
func (c *Controller) cluster(ctx context.Context, set *kcm.ServiceSet) (*kcm.ClusterDeployment, error) {
	if set.Spec.Provider.SelfManagement {
		return nil, nil
	}
	var d kcm.ClusterDeployment
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: set.Namespace, Name: set.Spec.Cluster}, &d)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ClusterDeployment %s/%s: %w", set.Namespace, set.Spec.Cluster, err)
	}
	return &d, nil
}

// depart asks the engine to remove the services of a ServiceSet, unless others go first, and sees
// how that stands. It needs neither the templates nor the values of the services; of those
// templates that are still there, the options count.
func (c *Controller) depart(ctx context.Context, set *kcm.ServiceSet, owner *kcm.ClusterDeployment) (Departure, error) {
	saw := Departure{Cluster: Cluster{Exists: set.Spec.Provider.SelfManagement || owner != nil}, Now: c.clock()}
	if owner != nil && owner.DeletionTimestamp != nil {
		saw.Cluster.Deleting = owner.DeletionTimestamp.Time
	}
	provider, err := c.provider(ctx, set)
	if err != nil {
		return saw, err
	}
	if saw.Provider = provider; provider.Suspended {
		saw.Suspended = provider.Held
	}
	if err = c.order(ctx, set, &saw); err != nil {
		return saw, err
	}
	if saw.waits(set) {
		return saw, nil
	}
	return saw, c.remove(ctx, set, &saw)
}

// remove asks the engine that made the services to remove them, on each cluster.
func (c *Controller) remove(ctx context.Context, set *kcm.ServiceSet, saw *Departure) error {
	if mayReach(set, set.Namespace == c.home) != nil {
		saw.Report.Gone = true // it never made anything there
		return nil
	}
	was, err := recordOf(set, c.engines.fallback)
	if err != nil {
		return err
	}
	made, err := c.engines.having(was)
	switch {
	case err != nil:
		saw.Problem = fleet.Sentence(err)
		return nil
	case made == nil:
		saw.Report.Gone = true
		return nil
	}
	options, err := c.templateOptions(ctx, set)
	if err != nil {
		return err
	}
	if err := (&look{c: c, set: set}).address(ctx); err != nil {
		return err
	}
	if err := c.follow.Watch(c.control); err != nil {
		return err
	}
	report, err := takeOff(ctx, made, removalOf(set, was, options), was)
	if _, known := fleet.NextOf(err); !known {
		return err
	}
	if err != nil {
		saw.Problem, saw.NoAddress = fleet.Sentence(err), errors.Is(err, fleet.ErrNotYet)
	}
	saw.Report, saw.Now = report, c.clock()
	return nil
}

// takeOff has an engine remove all that it made for a set, on each cluster.
func takeOff(ctx context.Context, made engine.Engine, what engine.Removal, was Record) (engine.Report, error) {
	var here engine.Report
	apart := was.Local && !what.Target.Management
	if apart {
		local := what
		local.Target = engine.Target{Management: true}
		var err error
		if here, err = made.Remove(ctx, local); err != nil {
			return here, err
		}
	}
	report, err := made.Remove(ctx, what)
	if apart {
		gone := report.Gone && here.Gone
		report = merged(report, here)
		report.Gone = gone
	}
	return report, err
}

// merged is the report on a set that is in two places. Its services are where they are, and whether
// the target answers is said of the target.
func merged(target, local engine.Report) engine.Report {
	if len(local.Services) == 0 {
		return target
	}
	target.Services = slices.Concat(target.Services, local.Services)
	slices.SortFunc(target.Services, func(a, b engine.ServiceReport) int { return engine.CompareKeys(a.Key, b.Key) })
	return target
}

// templateOptions are what a removal needs to know of the set: how its services depend on each other,
// and the options of those templates that exist.
func (c *Controller) templateOptions(ctx context.Context, set *kcm.ServiceSet) (Observed, error) {
	saw := Observed{Templates: map[string]Template{}}
	var err error
	if saw.Notes, err = service.NotesOf(set); err != nil {
		saw.Notes = service.Notes{} // without them the services go in any order, but they go
	}
	for _, svc := range set.Spec.Services {
		var t kcm.ServiceTemplate
		err := c.kube.Get(ctx, client.ObjectKey{Namespace: set.Namespace, Name: svc.Template}, &t)
		if client.IgnoreNotFound(err) != nil {
			return saw, fmt.Errorf("reading ServiceTemplate %s/%s: %w", set.Namespace, svc.Template, err)
		}
		if err == nil {
			saw.Templates[svc.Template] = Template{Options: t.Spec.HelmOptions}
		}
	}
	return saw, nil
}

func (l *look) template(ctx context.Context, name string) error {
	if _, seen := l.saw.Templates[name]; seen {
		return nil
	}
	key := client.ObjectKey{Namespace: l.set.Namespace, Name: name}
	var t kcm.ServiceTemplate
	err := l.c.kube.Get(ctx, key, &t)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading ServiceTemplate %s: %w", key, err)
	}
	facts := factsOf(&t)
	switch ref := t.Status.ChartRef; {
	case ref != nil:
		facts.Source, err = l.c.chartOf(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name})
	case facts.Valid && isPlain(facts.Source.Ref.Kind):
		var text content
		if text, err = l.content(ctx, facts.Source.Ref); err == nil {
			facts.Source, facts.Problem = text.source(facts.Source, facts.Kind)
		}
	}
	l.saw.Templates[name] = facts
	return err
}

// factsOf is what a template's own status says of its source.
func factsOf(t *kcm.ServiceTemplate) Template {
	out := Template{Valid: t.Status.Valid, ValidationError: t.Status.ValidationError, Kind: engine.Helm, Options: t.Spec.HelmOptions}
	var from *kcm.SourceSpec
	switch {
	case t.Spec.Kustomize != nil:
		out.Kind, from = engine.Kustomize, t.Spec.Kustomize
	case t.Spec.Resources != nil:
		out.Kind, from = engine.Resource, t.Spec.Resources
	case t.Spec.Helm != nil:
		from = t.Spec.Helm.ChartSource
	}
	if from == nil {
		return out
	}
	out.Local = out.Kind != engine.Helm && from.DeploymentType == kcm.DeployLocal
	if status := t.Status.SourceStatus; status != nil {
		out.Source = sourceOf(status.Artifact)
		out.Source.Ref = engine.SourceRef{Kind: status.Kind, Namespace: status.Namespace, Name: status.Name}
	}
	out.Source.Path = from.Path
	return out
}

func sourceOf(a *kcm.Artifact) engine.Source {
	if a == nil {
		return engine.Source{}
	}
	return engine.Source{URL: a.URL, Digest: a.Digest, Revision: a.Revision}
}

// chartOf is what the source has fetched; empty while it has fetched nothing.
func (c *Controller) chartOf(ctx context.Context, key client.ObjectKey) (engine.Source, error) {
	out := engine.Source{Ref: engine.SourceRef{Kind: sourcev1.HelmChartKind, Namespace: key.Namespace, Name: key.Name}}
	var chart sourcev1.HelmChart
	err := c.kube.Get(ctx, key, &chart)
	if client.IgnoreNotFound(err) != nil {
		return engine.Source{}, fmt.Errorf("reading HelmChart %s: %w", key, err)
	}
	artifact := chart.Status.Artifact
	if err != nil || artifact == nil {
		return out, nil
	}
	out.URL, out.Digest, out.Revision = artifact.URL, artifact.Digest, artifact.Revision
	return out, nil
}

// values reads a ConfigMap or Secret with values. Its name may hold expressions.
func (l *look) values(ctx context.Context, from kcm.ValuesFrom) error {
	name, unknown, err := l.text(ctx, "the name in valuesFrom", from.Name)
	if err != nil || unknown != (Unknown{}) {
		return err
	}
	text, err := l.content(ctx, engine.SourceRef{Kind: from.Kind, Namespace: l.set.Namespace, Name: name})
	if err != nil || !text.exists {
		return err
	}
	source := values.Source{Kind: from.Kind, Name: name, Data: text.data, Annotations: text.annotations}
	l.saw.Values[nameOfValues(from)] = source
	if isTemplate(source) {
		_, _, err = l.facts(ctx)
	}
	return err
}
