package rights

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/signin"
)

// AccessReviews asks the management API server whether somebody may do something.
type AccessReviews interface {
	Create(ctx context.Context, review *authorizationv1.SubjectAccessReview, opts metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// Bounds of what is remembered and asked.
const (
	// Life is how long an answer counts: so long somebody keeps a right that was taken away.
	Life         = 5 * time.Second
	mostAnswers  = 200_000
	mostAtOnce   = 32
	askingTimeIs = 10 * time.Second
)

// ErrNotYours means that somebody asks for what he may not see.
var ErrNotYours = errors.New("not yours to see")

// Judge says what people may see. It is safe for concurrent use.
type Judge struct {
	reviews AccessReviews
	homes   func() (map[store.Tenant][]string, error)
	clock   fleet.Clock

	// asking is held by who asks the API server, whoever that is for: one user with many namespaces
	// and many requests is no more than its share.
	asking chan struct{}

	mu    sync.Mutex
	known map[question]answer
	// asked are the questions that somebody asks at this moment.
	asked map[question]chan struct{}
}

type question struct{ who, verb, namespace string }

type answer struct {
	may     bool
	expires time.Time
}

// New returns a judge. Homes says in which namespaces each tenant has clusters, in all of them or
// with an error.
func New(reviews AccessReviews, homes func() (map[store.Tenant][]string, error), clock fleet.Clock) *Judge {
	return &Judge{
		reviews: reviews, homes: homes, clock: clock, asking: make(chan struct{}, mostAtOnce),
		known: map[question]answer{}, asked: map[question]chan struct{}{},
	}
}

// Sight is what somebody may see.
type Sight struct {
	// Everything says that all namespaces and tenants may be seen.
	Everything bool
	// Namespaces are those whose clusters may be seen, Tenants those whose telemetry may be;
	// both are sorted, and nil for who may see everything.
	Namespaces []string
	Tenants    []store.Tenant
}

// Sees says whether the clusters of a namespace may be seen.
func (s Sight) Sees(namespace string) bool {
	if s.Everything {
		return true
	}
	_, found := slices.BinarySearch(s.Namespaces, namespace)
	return found
}

// Everything says whether somebody may see all clusters.
func (j *Judge) Everything(ctx context.Context, who signin.Identity) (bool, error) {
	return j.ask(ctx, who, question{who.Key(), "list", ""})
}

// Sees says whether somebody may see the clusters of a namespace.
func (j *Judge) Sees(ctx context.Context, who signin.Identity, namespace string) (bool, error) {
	if all, err := j.Everything(ctx, who); all || err != nil {
		return all, err
	}
	return j.ask(ctx, who, question{who.Key(), "get", namespace})
}

// Sight says what somebody may see.
func (j *Judge) Sight(ctx context.Context, who signin.Identity) (Sight, error) {
	all, err := j.Everything(ctx, who)
	if all || err != nil {
		return Sight{Everything: all}, err
	}
	homes, err := j.homes()
	if err != nil {
		return Sight{}, err
	}
	var places []string
	for _, some := range homes {
		places = append(places, some...)
	}
	slices.Sort(places)
	places = slices.Compact(places)
	may, err := j.askAll(ctx, who, places)
	if err != nil {
		return Sight{}, err
	}
	s := Sight{Namespaces: []string{}, Tenants: []store.Tenant{}}
	for i, place := range places {
		if may[i] {
			s.Namespaces = append(s.Namespaces, place)
		}
	}
	for tenant, some := range homes {
		if tenant != store.Platform && tenant != store.Plane && !slices.ContainsFunc(some, func(place string) bool { return !s.Sees(place) }) {
			s.Tenants = append(s.Tenants, tenant)
		}
	}
	slices.Sort(s.Tenants)
	return s, nil
}

// Scope is whose telemetry a request is about: that of the asked tenant, or of everybody or the
// only tenant whom its user may see. The error wraps ErrNotYours, or is of kind fleet.ErrInvalid.
func (j *Judge) Scope(ctx context.Context, who signin.Identity, asked string) (store.Scope, error) {
	sight, err := j.Sight(ctx, who)
	if err != nil {
		return store.Scope{}, err
	}
	if asked != "" {
		t, err := store.ParseTenant(asked)
		if err != nil {
			return store.Scope{}, err
		}
		if sight.Everything || slices.Contains(sight.Tenants, t) {
			return store.Of(t), nil
		}
		return store.Scope{}, fmt.Errorf("%w: tenant %s: %s may get no ClusterDeployments of it, or not all of them", ErrNotYours, t, who.Name)
	}
	switch {
	case sight.Everything:
		return store.Everybody(), nil
	case len(sight.Tenants) == 1:
		return store.Of(sight.Tenants[0]), nil
	case len(sight.Tenants) == 0:
		return store.Scope{}, fmt.Errorf("%w: %s sees the telemetry of no tenant: it takes the right to get ClusterDeployments in all namespaces of a tenant's clusters, and the label k0rdent.mirantis.com/kof-tenant-id on these", ErrNotYours, who.Name)
	}
	names := make([]string, len(sight.Tenants))
	for i, t := range sight.Tenants {
		names[i] = string(t)
	}
	return store.Scope{}, fmt.Errorf("%w: %s sees several tenants: name one of %s", fleet.ErrInvalid, who.Name, strings.Join(names, ", "))
}

// Changes is nil for who may update all clusters that a scope is about: those of a tenant, or all there are. The
// error wraps ErrNotYours.
func (j *Judge) Changes(ctx context.Context, who signin.Identity, in store.Scope) error {
	if err := in.Check(); err != nil {
		return err
	}
	all, err := j.ask(ctx, who, question{who.Key(), "update", ""})
	if all || err != nil {
		return err
	}
	if in.All() {
		return fmt.Errorf("%w: %s may not update ClusterDeployments in all namespaces, which it takes to change what is about everybody; name a tenant", ErrNotYours, who.Name)
	}
	homes, err := j.homes()
	if err != nil {
		return err
	}
	if len(homes[in.Tenant()]) == 0 {
		return fmt.Errorf("%w: tenant %s has no clusters: to change what is about it takes the right to update ClusterDeployments in all namespaces", ErrNotYours, in.Tenant())
	}
	for _, place := range homes[in.Tenant()] {
		may, err := j.ask(ctx, who, question{who.Key(), "update", place})
		if err != nil {
			return err
		}
		if !may {
			return fmt.Errorf("%w: to change what is about tenant %s takes the right to update ClusterDeployments in all namespaces of its clusters, which %s has not in %s", ErrNotYours, in.Tenant(), who.Name, place)
		}
	}
	return nil
}

// askAll asks about many namespaces, some at a time.
func (j *Judge) askAll(ctx context.Context, who signin.Identity, places []string) ([]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askingTimeIs)
	defer cancel()
	may, errs := make([]bool, len(places)), make([]error, len(places))
	slots, key := make(chan struct{}, mostAtOnce), who.Key()
	var group sync.WaitGroup
	for i, place := range places {
		q := question{key, "get", place}
		if known, ok := j.recall(q); ok {
			may[i] = known
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			may[i], errs[i] = j.ask(ctx, who, q)
		})
	}
	group.Wait()
	return may, errors.Join(errs...)
}

func (j *Judge) recall(q question) (may, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	a, ok := j.known[q]
	return a.may, ok && j.clock().Before(a.expires)
}

// ask asks the management API server, unless it has answered just now or is being asked.
func (j *Judge) ask(ctx context.Context, who signin.Identity, q question) (bool, error) {
	waiting := fmt.Sprintf("waiting to ask the management API server what %s may see", who.Name)
	for {
		if may, known := j.recall(q); known {
			return may, nil
		}
		other := j.begin(q)
		if other == nil {
			break
		}
		select {
		case <-other: // whose answer counts for us too; if there is none, we ask
		case <-ctx.Done():
			return false, fmt.Errorf("%s: %w", waiting, context.Cause(ctx))
		}
	}
	defer j.end(q)
	if may, known := j.recall(q); known { // it was answered between the two looks
		return may, nil
	}
	select {
	case j.asking <- struct{}{}:
		defer func() { <-j.asking }()
	case <-ctx.Done():
		return false, fmt.Errorf("%s: %w", waiting, context.Cause(ctx))
	}
	may, err := j.review(ctx, who, q)
	if err != nil {
		return false, err
	}
	j.remember(q, may)
	return may, nil
}

// begin says that somebody asks a question. If somebody does already, the channel ends when he is done.
func (j *Judge) begin(q question) (other chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if other, asked := j.asked[q]; asked {
		return other
	}
	j.asked[q] = make(chan struct{})
	return nil
}

func (j *Judge) end(q question) {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.asked[q])
	delete(j.asked, q)
}

func (j *Judge) review(ctx context.Context, who signin.Identity, q question) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range who.Extra {
		extra[k] = v
	}
	review, err := j.reviews.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.Name, UID: who.UID, Groups: who.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: q.verb, Group: kcm.GroupVersion.Group, Version: kcm.GroupVersion.Version, Resource: "clusterdeployments", Namespace: q.namespace,
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking the management API server what %s may see: %w", who.Name, err)
	}
	return review.Status.Allowed, nil
}

func (j *Judge) remember(q question, may bool) {
	now := j.clock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.known) >= mostAnswers {
		maps.DeleteFunc(j.known, func(_ question, a answer) bool { return !now.Before(a.expires) })
	}
	if len(j.known) >= mostAnswers {
		clear(j.known) // they can all be asked again
	}
	j.known[q] = answer{may, now.Add(Life)}
}

type scopeKey struct{}

// With returns a context that carries whose telemetry its request is about.
func With(ctx context.Context, s store.Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// From is whose telemetry the request of a context is about; the zero scope, which every store
// refuses, where With was not called.
func From(ctx context.Context) store.Scope {
	s, _ := ctx.Value(scopeKey{}).(store.Scope)
	return s
}
