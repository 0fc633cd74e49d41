package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/e2e"
)

// Two hundred control planes do not fit into one computer: ten API servers are shared by twenty
// targets each. A target has a kubeconfig, an identity and a namespace of its own.
const (
	hosts       = 10
	perHost     = 20
	perTarget   = 10
	mostChange  = 500.0  // milliseconds
	mostMending = 2000.0 // milliseconds
	tries       = 100
	quickTries  = 30
)

// target is one adopted cluster.
type target struct {
	name string
	host *host
	// texts are what its services say, in their order.
	texts []string
}

// host is an API server that targets share.
type host struct {
	e2e.Cluster
	config *rest.Config
	kube   client.WithWatch
	// seen are ConfigMaps as the watch tells them, by namespace/name.
	mu   sync.Mutex
	seen map[string]sight
	news *sync.Cond
}

// sight is what a ConfigMap says, and in which revision of its API server.
type sight struct {
	text     string
	revision uint64
}

// services measures a fleet of two hundred clusters with ten services each.
func services(ctx context.Context, b *bench) error {
	if _, err := b.up(ctx); err != nil {
		return err
	}
	if err := b.offerChart(ctx); err != nil {
		return err
	}
	targets, err := b.makeFleet(ctx)
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context, []target) error{b.changes, b.drift, b.idleFleet, b.lost} {
		if err := part(ctx, targets); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) makeFleet(ctx context.Context) ([]target, error) {
	talk("making %d API servers", hosts)
	var clusters []e2e.Cluster
	for n := range hosts {
		clusters = append(clusters, e2e.Cluster{Name: fmt.Sprintf("host-%d", n)})
	}
	if err := b.create(ctx, clusters); err != nil {
		return nil, err
	}
	talk("adopting %d targets with %d services each", hosts*perHost, perTarget)
	began := time.Now()
	var targets []target
	for i, c := range clusters {
		h := &host{Cluster: c, seen: map[string]sight{}}
		h.news = sync.NewCond(&h.mu)
		var err error
		if h.config, h.kube, err = e2e.Child(ctx, b.kube, c.Key()); err != nil {
			return nil, err
		}
		if err := h.follow(ctx); err != nil {
			return nil, err
		}
		for j := range perHost {
			t := target{name: fmt.Sprintf("t-%d-%02d", i, j), host: h, texts: slices.Repeat([]string{"first"}, perTarget)}
			if err := b.adopt(ctx, t); err != nil {
				return nil, err
			}
			targets = append(targets, t)
		}
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for _, t := range targets {
		if _, err := e2e.AwaitReady(limited, b.kube, t.key()); err != nil {
			return nil, err
		}
	}
	remark(fmt.Sprintf("%d targets with %d services each, until all are Ready", len(targets), perTarget), since(began), "s")
	return targets, pause(ctx, 30*time.Second)
}

func (t target) key() client.ObjectKey {
	return client.ObjectKey{Namespace: e2e.SystemNamespace, Name: t.name}
}

// adopt gives a target its identity, and makes its ClusterDeployment.
func (b *bench) adopt(ctx context.Context, t target) error {
	kubeconfig, err := t.identity(ctx)
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: t.name}
	for _, o := range []client.Object{
		&corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"value": kubeconfig}},
		&kcm.Credential{ObjectMeta: meta, Spec: kcm.CredentialSpec{IdentityRef: &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: meta.Namespace, Name: meta.Name}}},
		t.deployment(),
	} {
		if err := e2e.Apply(ctx, b.kube, o); err != nil {
			return err
		}
	}
	return nil
}

// identity makes the target's own user on its API server, and returns a kubeconfig for it.
func (t target) identity(ctx context.Context) ([]byte, error) {
	meta := metav1.ObjectMeta{Namespace: "default", Name: t.name}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: t.name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: meta.Namespace, Name: meta.Name}},
	}
	for _, o := range []client.Object{&corev1.ServiceAccount{ObjectMeta: meta}, binding} {
		if err := t.host.kube.Create(ctx, o); err != nil {
			return nil, err
		}
	}
	clients, err := kubernetes.NewForConfig(t.host.config)
	if err != nil {
		return nil, err
	}
	day := int64(24 * 3600)
	token, err := clients.CoreV1().ServiceAccounts(meta.Namespace).CreateToken(ctx, meta.Name, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day}}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: t.host.config.Host, CertificateAuthorityData: t.host.config.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	return clientcmd.Write(*config)
}

// deployment is the target's ClusterDeployment.
func (t target) deployment() *kcm.ClusterDeployment {
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: t.name}}
	d.Spec = kcm.ClusterDeploymentSpec{Template: e2e.AdoptedTemplate, Credential: t.name, Config: &kcm.JSON{Raw: []byte("{}")}}
	d.Spec.ServiceSpec.Provider.Config = &kcm.JSON{Raw: []byte(`{"syncMode": "ContinuousWithDriftDetection"}`)}
	for n, text := range t.texts {
		d.Spec.ServiceSpec.Services = append(d.Spec.ServiceSpec.Services, kcm.Service{
			Name: fmt.Sprintf("app-%d", n), Namespace: t.name, Template: probe, Values: fmt.Sprintf("text: %s\nrun: false\n", text),
		})
	}
	return d
}

// follow keeps what the host's ConfigMaps say, also after it has not answered for a while.
func (h *host) follow(ctx context.Context) error {
	found, err := h.look(ctx)
	if err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			for event := range found.ResultChan() {
				if m, ok := event.Object.(*corev1.ConfigMap); ok {
					h.saw(m)
				}
			}
			for found, err = h.look(ctx); err != nil && ctx.Err() == nil; found, err = h.look(ctx) {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	return nil
}

// look reads all ConfigMaps, and watches them from there.
func (h *host) look(ctx context.Context) (watch.Interface, error) {
	var list corev1.ConfigMapList
	if err := h.kube.List(ctx, &list); err != nil {
		return nil, err
	}
	for i := range list.Items {
		h.saw(&list.Items[i])
	}
	return h.kube.Watch(ctx, &corev1.ConfigMapList{}, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
}

func (h *host) saw(m *corev1.ConfigMap) {
	h.mu.Lock()
	h.seen[m.Namespace+"/"+m.Name] = sight{m.Data["text"], revisionOf(m)}
	h.mu.Unlock()
	h.news.Broadcast()
}

// revisionOf is the revision in which an object was written: etcd's, a number that rises.
func revisionOf(o client.Object) uint64 {
	n, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(err) // every API server with etcd counts
	}
	return n
}

// await returns once a ConfigMap says something, in a later revision.
func (h *host) await(ctx context.Context, name, text string, after uint64) error {
	stop := context.AfterFunc(ctx, h.news.Broadcast)
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.seen[name].text != text || h.seen[name].revision <= after {
		if ctx.Err() != nil {
			return fmt.Errorf("waiting until ConfigMap %s says %q: it says %q", name, text, h.seen[name].text)
		}
		h.news.Wait()
	}
	return nil
}

func (b *bench) tries() int {
	if b.quick {
		return quickTries
	}
	return tries
}

// change changes one value of one service, and returns the milliseconds until the child has it.
func (b *bench) change(ctx context.Context, t target, n int, text string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	t.texts[n] = text
	began := time.Now()
	if err := e2e.Apply(ctx, b.kube, t.deployment()); err != nil {
		return 0, err
	}
	err := t.host.await(ctx, fmt.Sprintf("%s/app-%d", t.name, n), text, 0)
	return 1000 * since(began), err
}

// changes measures how soon a change of one value is on the child, and that nothing else moves.
func (b *bench) changes(ctx context.Context, targets []target) error {
	before, err := revisions(ctx, targets)
	if err != nil {
		return err
	}
	var took []float64
	touched := map[string]int{}
	for try := range b.tries() {
		t, n := targets[(try*37)%len(targets)], try%perTarget
		ms, err := b.change(ctx, t, n, fmt.Sprintf("change-%d", try))
		if err != nil {
			return err
		}
		took = append(took, ms)
		touched[fmt.Sprintf("%s/app-%d", t.name, n)]++
	}
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	after, err := revisions(ctx, targets)
	if err != nil {
		return err
	}
	more := 0
	for name, revision := range after {
		more += max(0, revision-before[name]-touched[name])
	}
	figure("a changed value of one service, until the child has it (p99)", mostChange, percentile(took, 99), "ms")
	remark("  the same, median", percentile(took, 50), "ms")
	figure("releases that have moved without a change", 0, float64(more), "revisions")
	return nil
}

func percentile(of []float64, p int) float64 {
	slices.Sort(of)
	return of[min(len(of)-1, len(of)*p/100)]
}

// revisions is the newest revision of each release.
func revisions(ctx context.Context, targets []target) (map[string]int, error) {
	out := map[string]int{}
	asked := map[*host]bool{}
	for _, t := range targets {
		if asked[t.host] {
			continue
		}
		asked[t.host] = true
		var secrets metav1.PartialObjectMetadataList
		secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		if err := t.host.kube.List(ctx, &secrets, client.MatchingLabels{"owner": "helm"}); err != nil {
			return nil, err
		}
		for _, s := range secrets.Items {
			var n int
			if _, err := fmt.Sscan(s.Labels["version"], &n); err != nil {
				return nil, fmt.Errorf("reading the version of Secret %s/%s: %w", s.Namespace, s.Name, err)
			}
			name := s.Namespace + "/" + s.Labels["name"]
			out[name] = max(out[name], n)
		}
	}
	return out, nil
}

// drift changes objects on the children by hand, and measures how soon they are mended.
func (b *bench) drift(ctx context.Context, targets []target) error {
	var took []float64
	for try := range b.tries() {
		t, n := targets[(try*53)%len(targets)], (try+3)%perTarget
		name := fmt.Sprintf("%s/app-%d", t.name, n)
		t.host.mu.Lock()
		wanted := t.host.seen[name].text
		t.host.mu.Unlock()
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: t.name, Name: fmt.Sprintf("app-%d", n)}}
		began := time.Now()
		if err := t.host.kube.Patch(ctx, m, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"text":"by hand"}}`))); err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		err := t.host.await(limited, name, wanted, revisionOf(m))
		cancel()
		if err != nil {
			return err
		}
		took = append(took, 1000*since(began))
	}
	figure("drift made by hand on a child, until it is mended (p99)", mostMending, percentile(took, 99), "ms")
	remark("  the same, median", percentile(took, 50), "ms")
	return nil
}

// idleFleet watches the plane while nothing happens.
func (b *bench) idleFleet(ctx context.Context, targets []target) error {
	if err := b.watchIdle(ctx, fmt.Sprintf("%d clusters and %d services", len(targets), len(targets)*perTarget)); err != nil {
		return err
	}
	memory, _, err := b.memory(ctx, ownProgram)
	remark("memory of the management plane then (RSS)", memory, "MiB")
	return err
}

// lost stops one of the ten API servers, so that it does not answer, and lets it go on later.
func (b *bench) lost(ctx context.Context, targets []target) error {
	gone, well := targets[:perHost], targets[perHost:]
	calm, err := b.series(ctx, well, "calm")
	if err != nil {
		return err
	}
	pid, err := b.pidOf("clusters/" + e2e.SystemNamespace + "." + gone[0].host.Name)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stopping API server %s: %w", gone[0].host.Name, err)
	}
	talk("API server %s does not answer", gone[0].host.Name)
	stormy, err := b.whileLost(ctx, gone, well)
	if back := syscall.Kill(pid, syscall.SIGCONT); err == nil {
		err = back
	}
	if err != nil {
		return err
	}
	began := time.Now()
	for _, t := range gone {
		limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
		err := t.host.await(limited, t.name+"/app-0", "while-lost", 0)
		cancel()
		if err != nil {
			return err
		}
	}
	remark("a changed value on the other nine before one of ten is lost (p99)", percentile(calm, 99), "ms")
	figure("the same while it does not answer (p99)", mostChange, percentile(stormy, 99), "ms")
	remark("  its median in parts of the median before", percentile(stormy, 50)/percentile(calm, 50), "")
	remark("the tenth answers again, until all its targets have what was changed meanwhile", since(began), "s")
	return nil
}

func (b *bench) whileLost(ctx context.Context, gone, well []target) ([]float64, error) {
	for _, t := range gone {
		t.texts[0] = "while-lost"
		if err := e2e.Apply(ctx, b.kube, t.deployment()); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, 20*time.Second); err != nil {
		return nil, err
	}
	return b.series(ctx, well, "stormy")
}

// series changes values on many targets, one after the other.
func (b *bench) series(ctx context.Context, targets []target, word string) ([]float64, error) {
	var took []float64
	for try := range b.tries() {
		ms, err := b.change(ctx, targets[(try*41)%len(targets)], try%perTarget, fmt.Sprintf("%s-%d", word, try))
		if err != nil {
			return nil, err
		}
		took = append(took, ms)
	}
	return took, nil
}

// pidOf is the process of a program of the plane, by the beginning of its name.
func (b *bench) pidOf(name string) (int, error) {
	all, err := b.Processes()
	if err != nil {
		return 0, err
	}
	var names []string
	for _, p := range all {
		if strings.HasPrefix(p.Name, name+"-") {
			return p.PID, nil
		}
		names = append(names, p.Name)
	}
	return 0, fmt.Errorf("looking for the process of %s: there are %s", name, strings.Join(names, ", "))
}
