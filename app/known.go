package app

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	sveltosv1 "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/telemetry"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/alert/delivery"
	"portico.dev/portico/observability/fleetmetrics"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
)

// known is what the plane knows of its fleet when somebody asks: what its controllers see, and what
// the stores say.
type known struct {
	*plane
	seen client.Reader
	// all are the regions that keep telemetry; spent is what clusters cost.
	all   func() []query.Region
	spent *spent

	mu sync.Mutex
	// newest is when something came last. A store forgets a cluster that is silent for long, and
	// that is the one to tell of.
	newest map[types.NamespacedName]arrival
	said   string
}

// arrival is when something came of a cluster, and where and whose it was then.
type arrival struct {
	region string
	tenant store.Tenant
	at     time.Time
}

func (p *plane) newKnown(seen client.Reader) (*known, error) {
	all, err := p.regions()
	if err != nil {
		return nil, err
	}
	spent, err := p.newSpent()
	return &known{plane: p, seen: seen, all: all, spent: spent, newest: map[types.NamespacedName]arrival{}}, err
}

// snapshot fulfils fleetmetrics.Reader. What a store does not answer is missing in it: that it does not
// answer is told too.
func (k *known) snapshot() (fleetmetrics.Snapshot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tellWithin)
	defer cancel()
	s := fleetmetrics.Snapshot{Home: home(), Certificates: k.certificates(), Alerting: k.stores.evaluated()}
	if err := errors.Join(k.objects(ctx, &s), k.tenants(ctx, &s), k.reachable(ctx, &s)); err != nil {
		return s, err
	}
	k.kept(ctx, &s)
	return s, nil
}

// listed appends to the snapshot what is told of the conditions of all objects of a list.
func listed[T any, P interface {
	*T
	client.Object
}](s *fleetmetrics.Snapshot, all []T) {
	for i := range all {
		if c, is := fleetmetrics.ConditionedOf(P(&all[i])); is {
			s.Conditioned = append(s.Conditioned, c)
		}
	}
}

// objects reads the cache without copying it: a fleet has many, and all of them are asked for at once.
func (k *known) objects(ctx context.Context, s *fleetmetrics.Snapshot) error {
	var (
		clusters    kcm.ClusterDeploymentList
		templates   kcm.ClusterTemplateList
		services    kcm.ServiceTemplateList
		providers   kcm.ProviderTemplateList
		sets        kcm.ServiceSetList
		multi       kcm.MultiClusterServiceList
		credentials kcm.CredentialList
		management  kcm.ManagementList
		releases    kcm.ReleaseList
		engines     kcm.StateManagementProviderList
	)
	for _, list := range []client.ObjectList{&clusters, &templates, &services, &providers, &sets, &multi, &credentials, &management, &releases, &engines} {
		if err := k.seen.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("listing %T: %w", list, err)
		}
	}
	s.Clusters, s.Templates, s.ServiceSets = clusters.Items, templates.Items, sets.Items
	listed(s, clusters.Items)
	listed(s, templates.Items)
	listed(s, services.Items)
	listed(s, providers.Items)
	listed(s, sets.Items)
	listed(s, multi.Items)
	listed(s, credentials.Items)
	listed(s, management.Items)
	listed(s, releases.Items)
	listed(s, engines.Items)
	return nil
}

// tenants reads which tenants namespaces belong to.
func (k *known) tenants(ctx context.Context, s *fleetmetrics.Snapshot) error {
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := k.seen.List(ctx, all, client.UnsafeDisableDeepCopy, client.HasLabels{kof.TenantLabel}); err != nil {
		return fmt.Errorf("listing namespaces: %w", err)
	}
	s.Tenants = map[string]string{}
	for i := range all.Items {
		s.Tenants[all.Items[i].Name] = all.Items[i].Labels[kof.TenantLabel]
	}
	return nil
}

// reachable says of which clusters somebody has tried whether they answer: Cluster API, or who looks
// after adopted ones. Both call a cluster as its ClusterDeployment.
func (k *known) reachable(ctx context.Context, s *fleetmetrics.Snapshot) error {
	var made clusterv1.ClusterList
	var adopted sveltosv1.SveltosClusterList
	for _, list := range []client.ObjectList{&made, &adopted} {
		if err := k.seen.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("listing %T: %w", list, err)
		}
	}
	s.Reachable = map[types.NamespacedName]bool{}
	for i := range adopted.Items {
		if c := &adopted.Items[i]; c.Status.ConnectionStatus != "" {
			s.Reachable[client.ObjectKeyFromObject(c)] = c.Status.ConnectionStatus == sveltosv1.ConnectionHealthy
		}
	}
	for i := range made.Items {
		c := &made.Items[i]
		if probe := control.Find(c.Status.Conditions, clusterv1.ClusterRemoteConnectionProbeCondition); probe != nil && probe.Status != "Unknown" {
			s.Reachable[client.ObjectKeyFromObject(c)] = probe.Status == "True"
		}
	}
	return nil
}

// certificates are the plane's own.
func (p *plane) certificates() []fleetmetrics.Certificate {
	files := []string{filepath.Join(p.folder.Management(), "pki", "ca.crt")}
	for _, program := range identity.All() {
		of := p.identities().Files(program)
		files = append(files, of.Client)
		if program.Serves {
			files = append(files, filepath.Join(of.Dir, "tls.crt"))
		}
	}
	var out []fleetmetrics.Certificate
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it is being made
		}
		block, _ := pem.Decode(text)
		if block == nil {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			name, _ := filepath.Rel(string(p.folder), file)
			out = append(out, fleetmetrics.Certificate{Of: fleetmetrics.Owner{NamespacedName: home()}, Name: name, Ends: c.NotAfter})
		}
	}
	return out
}

// kept adds what the stores say: those of this plane, and those of other regions.
func (k *known) kept(ctx context.Context, s *fleetmetrics.Snapshot) {
	errs := k.arrivals(ctx, s)
	if k.stores.ready() == nil {
		for _, name := range []string{telemetry.Metrics, telemetry.Records} {
			res, err := k.stores.tells(ctx, name)
			errs = append(errs, told(res, err, func(text io.Reader) error {
				one, err := fleetmetrics.StoreOf(managementCluster, name, text)
				if free, known := freeBelow(string(k.folder)); one.Limit < 0 && one.Used >= 0 && known {
					one.Limit = one.Used + free
				}
				s.Stores = append(s.Stores, one)
				return err
			}))
		}
	}
	var err error
	s.Budgets, err = k.costs.told(ctx)
	s.Costs = k.spent.hourly()
	k.say(errors.Join(append(errs, err)...))
}

// say logs what is wrong, once.
func (k *known) say(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if text != k.said && text != "" {
		k.log.Warn("the stores of telemetry do not tell how they are", "reason", text)
	}
	k.said = text
}

// freeBelow is how much the disk under a folder still takes.
func freeBelow(folder string) (float64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, false
	}
	return float64(s.Bavail) * float64(s.Bsize), true
}

// Of what came last, the first question after a start looks back for a day as well, in steps, and each one
// after it as far as a store looks back by itself.
const (
	cameLast  = `max by (cluster, clusterNamespace, tenant) (timestamp(up))`
	cameFirst = `max by (cluster, clusterNamespace, tenant) (timestamp(up) or max_over_time(timestamp(up)[1d:5m]))`
)

// arrivals asks each region when something came of its clusters. That it answers is worth telling too.
func (k *known) arrivals(ctx context.Context, s *fleetmetrics.Snapshot) []error {
	k.mu.Lock()
	text := cameLast
	if len(k.newest) == 0 {
		text = cameFirst
	}
	k.mu.Unlock()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return []error{err}
	}
	all := k.all()
	errs, answers := make([]error, len(all)), make([]store.Answer, len(all))
	var asking sync.WaitGroup
	now := k.env.Now()
	for i, r := range all {
		if errs[i] = r.Err; r.Err != nil || r.Metrics == nil {
			continue
		}
		asking.Go(func() {
			answers[i], errs[i] = r.Metrics.Query(ctx, store.Everybody(), expr, store.Range{Start: now, End: now}, store.Limits{})
		})
	}
	asking.Wait()
	for i, r := range all {
		s.Regions = append(s.Regions, fleetmetrics.Region{Name: r.Name, Up: errs[i] == nil})
		if errs[i] != nil {
			errs[i] = fmt.Errorf("asking region %s when clusters sent last: %w", r.Name, errs[i])
		}
		k.remember(r.Name, answers[i])
	}
	s.Arrivals = k.remembered(s)
	return errs
}

// remember notes what is newer than what was known. Logs are no sign of life: a cluster may have
// nothing to say.
func (k *known) remember(region string, answer store.Answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, series := range answer.Series {
		of := types.NamespacedName{Namespace: series.Labels.Get("clusterNamespace"), Name: series.Labels.Get("cluster")}
		for _, sample := range series.Samples {
			// One that has another tenant or region now is not silent as the one before.
			if at := time.UnixMilli(int64(sample.Value * 1000)); at.After(k.newest[of].at) {
				k.newest[of] = arrival{region, store.Tenant(series.Labels.Get(store.TenantLabel)), at}
			}
		}
	}
}

// remembered are the arrivals of the clusters that there still are; the others are forgotten.
func (k *known) remembered(s *fleetmetrics.Snapshot) []fleetmetrics.Arrival {
	k.mu.Lock()
	defer k.mu.Unlock()
	there := map[types.NamespacedName]bool{home(): true}
	for i := range s.Clusters {
		there[client.ObjectKeyFromObject(&s.Clusters[i])] = true
	}
	var out []fleetmetrics.Arrival
	for key, newest := range k.newest {
		if !there[key] {
			delete(k.newest, key)
			continue
		}
		of := fleetmetrics.Owner{NamespacedName: key, Tenant: newest.tenant}
		out = append(out, fleetmetrics.Arrival{Of: of, Region: newest.region, Signal: "metrics", Newest: newest.at})
	}
	return out
}

// evaluated is what came of the rules; nil as long as nothing evaluates them.
func (s *stores) evaluated() *fleetmetrics.Alerting {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rules == nil {
		return nil
	}
	sum := s.rules.Summary()
	if sum == (delivery.Summary{}) {
		return nil // it has not looked yet: there are always rules
	}
	return &fleetmetrics.Alerting{Used: sum.Used, Refused: sum.Refused, Unlabelled: sum.Unlabelled, ReceiversValid: sum.ReceiversValid}
}
