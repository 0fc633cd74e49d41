package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/topology"
)

// Stores are where a region keeps what.
type Stores struct {
	Metrics store.Metrics
	Logs    store.Logs
	Traces  store.Traces
}

// Parts are what a directory is made of.
type Parts struct {
	Settings Settings
	// Open returns the stores behind a region's endpoints, which are asked by that client. It does not
	// connect.
	Open func(at topology.Endpoints, by *http.Client) (Stores, error)
	// Serves says whether the regions of a namespace are asked for a scope; nil that all always are.
	Serves func(in store.Scope, namespace string) bool
}

// Directory knows the regions. It is safe for concurrent use.
type Directory struct {
	Parts
	live client.Reader

	mu      sync.Mutex
	read    bool
	lines   map[types.NamespacedName]held
	regions []query.Region
	// wants are the Secrets in which credentials are, or are looked for.
	wants map[types.NamespacedName]bool
}

// held is a region with its connections, and what these depend on.
type held struct {
	*line
	digest [sha256.Size]byte
	stores Stores
}

// New returns a directory that knows nothing yet.
func New(p Parts) *Directory {
	return &Directory{Parts: p, lines: map[types.NamespacedName]held{}}
}

// ErrReading means that the regions are not read yet.
var ErrReading = errors.New("the plane has not read its regions yet: try again in some seconds")

// Check returns ErrReading until the regions were read once.
func (d *Directory) Check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.read {
		return ErrReading
	}
	return nil
}

// Regions are the regions as questions go to them, sorted by name.
func (d *Directory) Regions() []query.Region {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.regions)
}

// Reconcile reads the regions, and has questions go to them.
func (d *Directory) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	saw, err := d.observe(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	d.publish(List(saw, d.Settings))
	return reconcile.Result{}, nil
}

func (d *Directory) observe(ctx context.Context) (Observed, error) {
	var saw Observed
	var configs corev1.ConfigMapList
	if err := d.live.List(ctx, &configs, client.MatchingLabels{kof.ClusterRoleLabel: kof.RegionalRole}); err != nil {
		return saw, fmt.Errorf("listing the ConfigMaps of regions: %w", err)
	}
	wants := map[types.NamespacedName]bool{}
	for i := range configs.Items {
		cm := &configs.Items[i]
		if !cm.DeletionTimestamp.IsZero() {
			continue
		}
		saw.Configs = append(saw.Configs, *cm)
		for _, at := range Wants(cm, d.Settings) {
			wants[at] = true
		}
	}
	// News of a Secret that comes while it is read has to be heard.
	d.mu.Lock()
	d.wants = wants
	d.mu.Unlock()
	for at := range wants {
		var secret corev1.Secret
		err := d.live.Get(ctx, at, &secret)
		if client.IgnoreNotFound(err) != nil {
			return saw, fmt.Errorf("reading Secret %s: %w", at, err)
		}
		if err == nil {
			saw.Secrets = append(saw.Secrets, secret)
		}
	}
	return saw, nil
}

// publish makes the regions those of a list, and lets go of what is not among them.
func (d *Directory) publish(all []Listing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := map[types.NamespacedName]held{}
	regions := make([]query.Region, 0, len(all))
	for _, l := range all {
		r := query.Region{Name: l.Name, Labels: labels.FromStrings("region", l.Name), Err: l.Err, Next: l.Next, Serves: d.serves(l.Config.Namespace), Guest: d.reach(l.Config.Namespace) == abroad}
		if l.Err == nil {
			var h held
			if h, r.Err = d.hold(l); r.Err == nil {
				lines[l.Config] = h
				r.Metrics, r.Logs, r.Traces = h.stores.Metrics, h.stores.Logs, h.stores.Traces
			}
		}
		regions = append(regions, r)
	}
	for at, h := range d.lines {
		if lines[at].line != h.line {
			// What is under way ends by itself.
			h.transport.CloseIdleConnections()
		}
	}
	slices.SortFunc(regions, func(a, b query.Region) int { return strings.Compare(a.Name, b.Name) })
	d.lines, d.regions, d.read = lines, regions, true
}

// hold returns the region with its connections: those that it has, unless it is elsewhere now.
func (d *Directory) hold(l Listing) (held, error) {
	sum, err := digest(l.At)
	if err != nil {
		return held{}, err
	}
	h, known := d.lines[l.Config]
	if !known || h.digest != sum {
		h = held{digest: sum}
		if h.line, err = newLine(l.At, d.reach(l.Config.Namespace)); err != nil {
			return held{}, err
		}
		if h.stores, err = d.Open(l.At.Endpoints, h.client()); err != nil {
			return held{}, err
		}
	}
	h.use(l.Login)
	return h, nil
}

func (d *Directory) reach(namespace string) reach {
	if slices.Contains(d.Settings.Trusted, namespace) {
		return anywhere
	}
	return abroad
}

func (d *Directory) serves(namespace string) func(store.Scope) bool {
	if d.Serves == nil {
		return nil
	}
	return func(in store.Scope) bool { return d.Serves(in, namespace) }
}
