package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/inventory"
	"portico.dev/portico/server/live"
)

// Feed is the fleet as informers see it. It is safe for concurrent use.
type Feed struct {
	Clusters *inventory.Table[inventory.Cluster]
	Services *inventory.Table[inventory.Service]
	// Topic tells of changes of both: events "cluster" and "service" carry the new row, "gone"
	// the Gone of a row that is no more.
	Topic *live.Topic

	log *slog.Logger
	// whole says that all is read that there is: before, a list would lack clusters, and a tenant
	// seem to have none where he has some.
	whole atomic.Bool

	mu sync.Mutex
	// homes says which namespaces have clusters of a tenant, and how many.
	homes map[store.Tenant]map[string]int
	// tenants are those that namespaces belong to, by their label.
	tenants map[string]string
	// sets are the keys of the services of a ServiceSet.
	sets map[types.NamespacedName][]string
}

// Gone names a row that is no more.
type Gone struct {
	// Kind is cluster or service.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
}

// New returns a feed of nothing.
func New(topic *live.Topic, log *slog.Logger) *Feed {
	return &Feed{
		Clusters: inventory.NewTable(inventory.ClusterColumns()), Services: inventory.NewTable(inventory.ServiceColumns()),
		Topic: topic, log: log, homes: map[store.Tenant]map[string]int{}, tenants: map[string]string{}, sets: map[types.NamespacedName][]string{},
	}
}

// Start has the feed follow what the informers see, and returns once it holds all that there is.
// The scheme behind the informers knows k0rdent.mirantis.com; of namespaces their metadata is watched.
func (f *Feed) Start(ctx context.Context, informers ctrlcache.Cache) error {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	// Namespaces come first: they say whose clusters are.
	for _, o := range []client.Object{namespace, &kcm.ClusterDeployment{}, &kcm.ServiceSet{}} {
		informer, err := informers.GetInformer(ctx, o)
		if err != nil {
			return fmt.Errorf("watching %T: %w", o, err)
		}
		handled, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: f.Saw, UpdateFunc: func(_, now any) { f.Saw(now) }, DeleteFunc: f.Lost,
		})
		if err != nil {
			return fmt.Errorf("watching %T: %w", o, err)
		}
		if !cache.WaitForCacheSync(ctx.Done(), handled.HasSynced) {
			return fmt.Errorf("watching %T: %w", o, context.Cause(ctx))
		}
	}
	f.Whole()
	return nil
}

// ErrReading means that the fleet is not read yet.
var ErrReading = errors.New("the plane has not read its fleet yet: try again in some seconds")

// Whole says that all was seen that there is. Start does so when it returns.
func (f *Feed) Whole() { f.whole.Store(true) }

// Check returns ErrReading until all was seen that there is.
func (f *Feed) Check() error {
	if !f.whole.Load() {
		return ErrReading
	}
	return nil
}

// Saw takes an object as it is now.
func (f *Feed) Saw(o any) {
	var err error
	switch o := o.(type) {
	case *metav1.PartialObjectMetadata:
		f.sawNamespace(o.Name, o.Labels[kof.TenantLabel])
	case *kcm.ClusterDeployment:
		err = f.sawCluster(o)
	case *kcm.ServiceSet:
		err = f.sawSet(o)
	}
	if err != nil {
		f.log.Error("an object is missing in the list of the fleet", "error", err)
	}
}

// Lost takes an object that is no more, or the last that is known of it.
func (f *Feed) Lost(o any) {
	if tomb, is := o.(cache.DeletedFinalStateUnknown); is {
		o = tomb.Obj
	}
	if namespace, is := o.(*metav1.PartialObjectMetadata); is {
		f.sawNamespace(namespace.Name, "")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch o := o.(type) {
	case *kcm.ClusterDeployment:
		f.lostCluster(o.Namespace + "/" + o.Name)
	case *kcm.ServiceSet:
		key := client.ObjectKeyFromObject(o)
		for _, k := range f.sets[key] {
			f.lostService(k)
		}
		delete(f.sets, key)
	}
}

func (f *Feed) sawCluster(d *kcm.ClusterDeployment) error {
	row, err := inventory.ClusterOf(d, "")
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(row.Of(f.tenants[d.Namespace]))
	return nil
}

// put puts a row into the table, if it is another one than before.
func (f *Feed) put(row inventory.Cluster) {
	last := f.Clusters.Get(row.Key())
	if last != nil && reflect.DeepEqual(*last, row) {
		return
	}
	if last != nil {
		f.home(last, -1)
	}
	f.home(&row, 1)
	f.Clusters.Set(row.Key(), &row)
	f.tell("cluster", row.Namespace, &row)
}

// sawNamespace has the clusters of a namespace be of its tenant.
func (f *Feed) sawNamespace(name, tenant string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tenants[name] == tenant {
		return
	}
	if f.tenants[name] = tenant; tenant == "" {
		delete(f.tenants, name)
	}
	for _, c := range f.Clusters.All() {
		if c.Namespace == name {
			f.put(c.Of(tenant))
		}
	}
}

func (f *Feed) lostCluster(key string) {
	last := f.Clusters.Get(key)
	if last == nil {
		return
	}
	f.home(last, -1)
	f.Clusters.Delete(key)
	f.tell("gone", last.Namespace, Gone{"cluster", last.Namespace, key})
}

// home counts a cluster among those of its tenant and namespace.
func (f *Feed) home(c *inventory.Cluster, by int) {
	t := store.Tenant(c.Tenant)
	if f.homes[t] == nil {
		f.homes[t] = map[string]int{}
	}
	f.homes[t][c.Namespace] += by
	if f.homes[t][c.Namespace] == 0 {
		delete(f.homes[t], c.Namespace)
	}
	if len(f.homes[t]) == 0 {
		delete(f.homes, t)
	}
}

func (f *Feed) sawSet(set *kcm.ServiceSet) error {
	rows, err := inventory.ServicesOf(set)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := client.ObjectKeyFromObject(set)
	left := map[string]bool{}
	for _, k := range f.sets[key] {
		left[k] = true
	}
	keys := make([]string, 0, len(rows))
	for i := range rows {
		row := &rows[i]
		k := row.Key()
		keys = append(keys, k)
		delete(left, k)
		if last := f.Services.Get(k); last != nil && reflect.DeepEqual(*last, *row) {
			continue
		}
		f.Services.Set(k, row)
		f.tell("service", row.ClusterNamespace, row)
	}
	for k := range left {
		f.lostService(k)
	}
	f.sets[key] = keys
	return nil
}

func (f *Feed) lostService(key string) {
	if last := f.Services.Get(key); last != nil {
		f.Services.Delete(key)
		f.tell("gone", last.ClusterNamespace, Gone{"service", last.ClusterNamespace, key})
	}
}

func (f *Feed) tell(kind, namespace string, what any) {
	text, err := json.Marshal(what)
	if err != nil {
		f.log.Error("a change of the fleet was not told", "error", err)
		return
	}
	f.Topic.Publish(live.Event{Kind: kind, Place: namespace, Data: text})
}

// Homes are the namespaces that have clusters, by tenant. Until all was seen it returns ErrReading:
// who sees all of a tenant's namespaces sees his telemetry, and some of them could be missing.
func (f *Feed) Homes() (map[store.Tenant][]string, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[store.Tenant][]string, len(f.homes))
	for t, places := range f.homes {
		for place := range maps.Keys(places) {
			out[t] = append(out[t], place)
		}
	}
	return out, nil
}
