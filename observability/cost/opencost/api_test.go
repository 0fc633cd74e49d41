package opencost_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/cost/opencost"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

var _ opencost.Source = (*metrics.Source)(nil)

var now = time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)

const gib = float64(cost.GiB)

// facts are a cluster of each of two tenants: the same node, a pod of shop, and one of kube-system.
func facts() cost.Facts {
	f := cost.Facts{Until: now, Notes: []string{"a note of the source"}}
	for cluster, tenant := range map[string]store.Tenant{"c1": "red", "c2": "blue"} {
		f.Nodes = append(f.Nodes, cost.Node{
			Cluster: cluster, Tenant: tenant, Machine: price.Machine{Name: "n", ProviderID: "id-" + cluster, InstanceType: "m5"},
			CPU: cost.Always(4), RAM: cost.Always(16 * gib),
		})
		for _, ns := range []string{"shop", "kube-system"} {
			f.Pods = append(f.Pods, cost.Pod{
				Cluster: cluster, Tenant: tenant, Namespace: ns, Name: "p", Node: "n", Controller: "web", Kind: "Deployment",
				Labels: map[string]string{"app": ns}, Claims: []string{"data"},
				CPU: cost.Demand{Request: cost.Always(1), Usage: cost.Always(0.5)}, RAM: cost.Demand{Request: cost.Always(gib), Usage: cost.Always(gib / 2)},
			})
		}
		f.Volumes = append(f.Volumes, cost.Volume{
			Cluster: cluster, Tenant: tenant, Disk: price.Disk{Name: "pv", Class: "fast"}, Namespace: "shop", Claim: "data", Bytes: cost.Always(100 * gib),
		})
		f.LoadBalancers = append(f.LoadBalancers, cost.LoadBalancer{Cluster: cluster, Tenant: tenant, Namespace: "shop", Service: "front"})
	}
	return f
}

func onPremises() (cost.Terms, error) { return cost.Terms{}, nil }

// serve gives all facts to everybody who asks: what a scope must not see is for the handlers to leave out.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	source := opencost.SourceFunc(func(context.Context, store.Scope, window.Window) (cost.Facts, error) { return facts(), nil })
	api := opencost.API{
		Source: source, Terms: onPremises, Clock: func() time.Time { return now },
		Access: func(r *http.Request) (store.Scope, error) {
			switch who := r.Header.Get("who"); who {
			case "":
				return store.Everybody(), nil
			case "nobody":
				return store.Scope{}, opencost.ErrDenied
			default:
				return store.Of(store.Tenant(who)), nil
			}
		},
	}
	s := httptest.NewServer(api.Handler())
	t.Cleanup(s.Close)
	return s
}

type answer struct {
	Code             int
	Status           string
	Data             json.RawMessage
	Message, Warning string
}

func get(t *testing.T, s *httptest.Server, who, path string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("who", who)
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if resp.StatusCode != a.Code {
		t.Errorf("%s: status %d, code %d", path, resp.StatusCode, a.Code)
	}
	return a
}

type entry map[string]any

func sets(t *testing.T, a answer) []map[string]entry {
	t.Helper()
	if a.Code != http.StatusOK || a.Status != "success" {
		t.Fatalf("got %d %s: %s", a.Code, a.Status, a.Message)
	}
	d := json.NewDecoder(strings.NewReader(string(a.Data)))
	d.UseNumber()
	var all []map[string]entry
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// sum adds decimals up exactly.
func sum(set map[string]entry) string {
	total := new(big.Rat)
	for _, e := range set {
		n, _ := new(big.Rat).SetString(fmt.Sprint(e["totalCost"]))
		total.Add(total, n)
	}
	return total.FloatString(9)
}

// fields are those of OpenCost's AllocationJSON which are always there.
var fields = strings.Fields(`name properties window start end minutes cpuCores cpuCoreRequestAverage cpuCoreLimitAverage cpuCoreUsageAverage
	cpuCoreHours cpuCost cpuCostAdjustment cpuCostIdle cpuEfficiency gpuCount gpuHours gpuCost gpuCostAdjustment gpuCostIdle gpuEfficiency
	networkTransferBytes networkReceiveBytes networkCost networkCrossZoneCost networkCrossRegionCost networkInternetCost networkCostAdjustment
	loadBalancerCost loadBalancerCostAdjustment pvBytes pvByteHours pvCost pvs pvCostAdjustment ramBytes ramByteRequestAverage ramByteLimitAverage
	ramByteUsageAverage ramByteHours ramCost ramCostAdjustment ramCostIdle ramEfficiency externalCost sharedCost totalCost totalEfficiency
	lbAllocations gpuAllocation`)

func TestAllocation(t *testing.T) {
	s := serve(t)
	a := get(t, s, "red", "/allocation?window=yesterday&aggregate=namespace&includeIdle=true&nonsense=1")
	set := sets(t, a)[0]
	if !strings.Contains(a.Warning, "a note of the source") || !strings.Contains(a.Warning, "nonsense") || !strings.Contains(a.Warning, `defaults of "on-premises"`) {
		t.Errorf("the warning is %q", a.Warning)
	}
	if got := slices.Sorted(maps.Keys(set)); !slices.Equal(got, []string{"__idle__", "kube-system", "shop"}) {
		t.Fatalf("got %v", got)
	}
	shop := set["shop"]
	slices.Sort(fields)
	if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(shop))); diff != "" {
		t.Errorf("the fields differ from OpenCost's (-want +got)\n%s", diff)
	}
	// A core: 0.031611 x 24 = 0.758664. A GiB: 0.004237 x 24 = 0.101688. 100 GiB of storage:
	// 0.00005479452 x 2400 = 0.131506848. The sum is 0.991858848.
	want := map[string]string{
		"cpuCost": "0.758664", "ramCost": "0.101688", "pvCost": "0.131506848", "totalCost": "0.991858848", "cpuCoreHours": "24", "cpuCores": "1",
		"cpuEfficiency": "0.5", "totalEfficiency": "0.5", "minutes": "1440", "start": "2026-11-02T00:00:00Z", "pvByteHours": "2576980377600",
		"properties": "map[cluster:c1 controller:web controllerKind:deployment labels:map[app:shop] namespace:shop node:n pod:p tenant:red]", "gpuAllocation": "<nil>",
		"pvs":    "map[cluster=c1:name=pv:map[byteHours:2576980377600 cost:0.131506848 providerID:]]",
		"window": "map[end:2026-11-03T00:00:00Z start:2026-11-02T00:00:00Z]",
	}
	for field, w := range want {
		if got := fmt.Sprint(shop[field]); got != w {
			t.Errorf("%s is %s, want %s", field, got, w)
		}
	}
	// The node: 4 x 0.031611 x 24 + 16 x 0.004237 x 24 = 3.034656 + 1.627008, and the volume.
	if got := sum(set); got != "4.793170848" {
		t.Errorf("the parts come to %s", got)
	}
}

func TestParameters(t *testing.T) {
	s := serve(t)
	for _, c := range []struct{ why, query, names, total string }{
		{"OpenCost leaves idle out unless it is asked for.", "aggregate=namespace", "kube-system shop", "1.852210848"},
		{"Shared idle is in the others.", "aggregate=namespace&shareIdle=true", "kube-system shop", "4.793170848"},
		{"A shared namespace vanishes, its cost does not.", "aggregate=namespace&shareNamespaces=kube-system", "shop", "1.852210848"},
		{"So with labels.", "aggregate=namespace&shareLabels=app:kube-system&shareSplit=even", "shop", "1.852210848"},
		{"73 a month are 2.4 a day.", "aggregate=cluster&shareCost=73", "c1", "4.252210848"},
		{"By node.", "aggregate=node&idle=true&idleByNode=true", "n n/__idle__", "4.793170848"},
		{"Several properties.", "aggregate=tenant,controllerKind", "red/deployment", "1.852210848"},
		{"A label.", "aggregate=label:app", "kube-system shop", "1.852210848"},
		{"Ungrouped.", "", "c1/n/kube-system/p c1/n/shop/p", "1.852210848"},
		{"A filter.", "aggregate=namespace&filter=" + url.QueryEscape(`namespace:"shop","x"+label[app]!:"y"`), "shop", "0.991858848"},
		{"The older filters.", "aggregate=namespace&filterNamespaces=kube-system&filterLabels=app:kube-system", "kube-system", "0.860352000"},
	} {
		path := "/allocation/compute?window=yesterday&" + c.query
		set := sets(t, get(t, s, "red", path))[0]
		names := slices.Sorted(maps.Keys(set))
		if got := strings.Join(names, " "); got != c.names {
			t.Errorf("%s %s: got %s, want %s", c.why, c.query, got, c.names)
		}
		if got := sum(set); got != c.total {
			t.Errorf("%s %s: the sum is %s, want %s", c.why, c.query, got, c.total)
		}
	}
}

func TestSteps(t *testing.T) {
	s := serve(t)
	for query, want := range map[string]int{"step=6h": 4, "step=6h&accumulate=true": 1, "accumulate=hour": 24, "accumulateBy=day": 1, "": 1} {
		all := sets(t, get(t, s, "red", "/allocation?window=yesterday&aggregate=namespace&includeIdle=true&"+query))
		if len(all) != want {
			t.Errorf("%s: got %d sets, want %d", query, len(all), want)
		}
		if query == "step=6h&accumulate=true" && sum(all[0]) != "4.793170848" {
			t.Errorf("accumulated, the parts come to %s", sum(all[0]))
		}
	}
}

func TestRefused(t *testing.T) {
	s := serve(t)
	for query, field := range map[string]string{
		"":                                "window:",
		"window=nonsense":                 "window:",
		"window=1d&aggregate=colour":      "aggregate:",
		"window=1d&step=x":                "step:",
		"window=30d&step=1m":              "step:",
		"window=1d&resolution=fine":       "resolution:",
		"window=1d&accumulate=decade":     "accumulate:",
		"window=1d&shareIdle=perhaps":     "shareIdle:",
		"window=1d&idleByNode=2":          "idleByNode:",
		"window=1d&shareSplit=odd":        "shareSplit:",
		"window=1d&shareCost=-5":          "shareCost:",
		"window=1d&shareLabels=app":       "shareLabels:",
		"window=1d&filter=namespace":      "filter:",
		"window=1d&filter=colour:%22x%22": "filter:",
		"window=1d&filter=pod:%22x%22%2B": "filter:",
		"window=1d&filter=(pod:%22x%22)":  "filter:",
		"window=1d&filterLabels=app":      "filterLabels:",
	} {
		a := get(t, s, "red", "/allocation?"+query)
		if a.Code != http.StatusBadRequest || a.Status != "error" || !strings.Contains(a.Message, field) || string(a.Data) != "null" {
			t.Errorf("%s: got %d %q, want 400 that names %s", query, a.Code, a.Message, field)
		}
	}
	if a := get(t, s, "red", "/assets?window=1d&aggregate=colour"); a.Code != http.StatusBadRequest || !strings.Contains(a.Message, "aggregate:") {
		t.Errorf("assets: got %d %q", a.Code, a.Message)
	}
	if a := get(t, s, "nobody", "/allocation?window=1d"); a.Code != http.StatusForbidden {
		t.Errorf("nobody gets %d", a.Code)
	}
}

// Whatever a tenant asks, the other one's cluster is not in the answer, nor its money.
func TestTenants(t *testing.T) {
	s := serve(t)
	for _, path := range []string{
		"/allocation?window=yesterday", "/allocation?window=yesterday&aggregate=tenant&includeIdle=true", "/allocation/compute?window=yesterday&aggregate=cluster&shareIdle=true",
		"/allocation?window=yesterday&filter=" + url.QueryEscape(`tenant:"blue"`), "/allocation?window=yesterday&filterClusters=c2",
		"/allocation?window=yesterday&aggregate=tenant&shareNamespaces=kube-system", "/assets?window=yesterday", "/assets?window=yesterday&aggregate=cluster",
	} {
		if a := get(t, s, "red", path); strings.Contains(string(a.Data), "c2") || strings.Contains(string(a.Data), "blue") {
			t.Errorf("%s shows another tenant: %s", path, a.Data)
		}
	}
	if a := get(t, s, "", "/allocation?window=yesterday&aggregate=tenant"); !strings.Contains(string(a.Data), "blue") {
		t.Error("who may see all tenants does not")
	}
}

func TestAssets(t *testing.T) {
	s := serve(t)
	var set map[string]entry
	if err := json.Unmarshal(get(t, s, "red", "/assets?window=yesterday").Data, &set); err != nil {
		t.Fatal(err)
	}
	node := set["__undefined__/__undefined__/__undefined__/Compute/c1/Node/Kubernetes/n/id-c1/red"]
	common := strings.Fields("type properties labels window start end minutes adjustment totalCost")
	for kind, more := range map[string]string{
		"Node":         "nodeType cpuCores ramBytes cpuCoreHours ramByteHours GPUHours cpuBreakdown ramBreakdown preemptible discount cpuCost gpuCost gpuCount ramCost",
		"Disk":         "byteHours bytes byteHoursUsed byteUsageMax breakdown storageClass volumeName claimName claimNamespace",
		"LoadBalancer": "private ip",
	} {
		want := append(slices.Clone(common), strings.Fields(more)...)
		slices.Sort(want)
		i := slices.IndexFunc(slices.Collect(maps.Values(set)), func(e entry) bool { return e["type"] == kind })
		if i < 0 {
			t.Errorf("there is no %s in %v", kind, slices.Sorted(maps.Keys(set)))
			continue
		}
		for _, e := range set {
			if e["type"] == kind {
				if diff := cmp.Diff(want, slices.Sorted(maps.Keys(e))); diff != "" {
					t.Errorf("the fields of a %s differ from OpenCost's (-want +got)\n%s", kind, diff)
				}
			}
		}
	}
	// 3.034656 + 1.627008; half of the cores idle, a quarter the system's.
	if got := fmt.Sprint(node["totalCost"], node["cpuBreakdown"]); got != "4.661664 map[idle:0.5 other:0 system:0.25 user:0.25]" {
		t.Errorf("the node is %s of %v", got, slices.Sorted(maps.Keys(set)))
	}
	set = nil
	if err := json.Unmarshal(get(t, s, "", "/assets?window=yesterday&aggregate=type").Data, &set); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(set["Node"]["totalCost"], set["Node"]["type"]); got != "9.323328 <nil>" {
		t.Errorf("nodes of both are %s", got)
	}
}

// What goes wrong behind the handlers has the code of its kind.
func TestCodes(t *testing.T) {
	for err, want := range map[error]int{
		store.ErrTooMuch: http.StatusBadRequest, fleet.ErrNotYet: http.StatusServiceUnavailable, context.DeadlineExceeded: http.StatusInternalServerError,
	} {
		api := opencost.API{
			Source: opencost.SourceFunc(func(context.Context, store.Scope, window.Window) (cost.Facts, error) { return cost.Facts{}, err }),
			Access: func(*http.Request) (store.Scope, error) { return store.Everybody(), nil },
			Terms:  onPremises, Clock: func() time.Time { return now },
		}
		w := httptest.NewRecorder()
		api.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/allocation?window=1d", nil))
		if w.Code != want {
			t.Errorf("%v: got %d, want %d", err, w.Code, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`namespace:"shop","web"+cluster!:"test"+label[app]<~:"front"`, "namespace,label:app", "app:x")
	f.Add(`pod~:"a"`, "a,,b", ":")
	api := opencost.API{
		Source: opencost.SourceFunc(func(context.Context, store.Scope, window.Window) (cost.Facts, error) { return facts(), nil }),
		Access: func(*http.Request) (store.Scope, error) { return store.Of("red"), nil },
		Terms:  onPremises, Clock: func() time.Time { return now },
	}
	handler := api.Handler()
	f.Fuzz(func(t *testing.T, filter, aggregate, share string) {
		values := url.Values{"window": {"yesterday"}, "filter": {filter}, "aggregate": {aggregate}, "shareLabels": {share}, "includeIdle": {"true"}}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/allocation?"+values.Encode(), nil))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Fatalf("code %d: %s", w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), `"c2"`) {
			t.Fatalf("another tenant's cluster: %s", w.Body)
		}
	})
}

// Terms are those of the price lists: their currency is told, what they share is shared unless a
// question says otherwise, and a tenant does not bear alone what all bear.
func TestTerms(t *testing.T) {
	now := now
	terms := cost.Terms{
		Book:   price.Book{Lists: []price.List{{Name: "l", Currency: "EUR", Defaults: &price.Rates{CPU: 1e10}}}},
		Shares: cost.Shares{Namespaces: []string{"kube-system"}, Fixed: []cost.Fixed{{Name: "desk", Monthly: 730e9}}},
		Idle:   cost.IdleShared, Notes: []string{`price list "x" does not count`},
	}
	var failure error
	api := opencost.API{
		Source: opencost.SourceFunc(func(context.Context, store.Scope, window.Window) (cost.Facts, error) { return facts(), nil }),
		Terms:  func() (cost.Terms, error) { return terms, failure }, Clock: func() time.Time { return now },
		Access: func(r *http.Request) (store.Scope, error) {
			if who := r.Header.Get("who"); who != "" {
				return store.Of(store.Tenant(who)), nil
			}
			return store.Everybody(), nil
		},
	}
	s := httptest.NewServer(api.Handler())
	t.Cleanup(s.Close)
	// A day of two nodes of four cores at 0.01: 1.92, and of the fixed amount 24, a day of 1 an hour.
	for _, c := range []struct {
		why, who, query string
		total           float64
		names           int
		note            string
	}{
		{"Idle and shared cost is borne by shop.", "", "aggregate=namespace", 25.92, 1, "does not count"},
		{"A tenant bears its own.", "red", "aggregate=namespace", 0.96, 1, "left out"},
		{"A question says otherwise: __idle__ stands by itself.", "red", "aggregate=namespace&shareIdle=false&includeIdle=true", 0.96, 2, "left out"},
	} {
		req, _ := http.NewRequest(http.MethodGet, s.URL+"/allocation?accumulate=true&window=2026-11-02T00:00:00Z,2026-11-03T00:00:00Z&"+c.query, nil)
		req.Header.Set("who", c.who)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Data     []map[string]struct{ TotalCost float64 }
			Currency string
			Warning  string
		}
		err = json.NewDecoder(resp.Body).Decode(&got)
		_ = resp.Body.Close()
		if err != nil || len(got.Data) != 1 {
			t.Fatal(err, got)
		}
		total := 0.0
		for _, a := range got.Data[0] {
			total += a.TotalCost
		}
		if diff := total - c.total; diff > 1e-9 || diff < -1e-9 || got.Currency != "EUR" || len(got.Data[0]) != c.names || !strings.Contains(got.Warning, c.note) {
			t.Errorf("%s got %v of %v in %q, %q; want %v of %d", c.why, total, got.Data[0], got.Currency, got.Warning, c.total, c.names)
		}
	}
	failure = fmt.Errorf("%w: prices are being read", fleet.ErrNotYet)
	resp, err := http.Get(s.URL + "/assets?window=1h")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without prices the answer is %s", resp.Status)
	}
}
