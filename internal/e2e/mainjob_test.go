package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/e2e"
)

// A real cluster with a real service, from its declaration to its end.
func TestMainJob(t *testing.T) {
	s := newStage(t)
	demo := e2e.Cluster{Name: "demo", Workers: 1, Real: true, Message: "first"}
	s.timed("from applied to ready, the service included", func() {
		s.apply(demo.Object())
		s.awaitReady(demo)
	})
	c := s.child(demo.Key())
	kubeconfig := s.kubeconfig("demo")

	t.Run("Service", func(t *testing.T) { s.on(t).serviceAnswers(c, kubeconfig) })
	t.Run("Volume", func(t *testing.T) { s.on(t).volumeHoldsData(c) })
	t.Run("Upgrade", func(t *testing.T) { s.on(t).serviceUpgrades(c, demo) })
	t.Run("Scale", func(t *testing.T) { s.on(t).scales(c, demo) })
	t.Run("Adopt", func(t *testing.T) { s.on(t).adopts(c, demo) })
	t.Run("Delete", func(t *testing.T) {
		s := s.on(t)
		s.timed("deletion", func() { s.remove(demo.Key()) })
		if left := s.pids("clusters/", "machines/"); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
	})
}

// on is the same stage for a test below the one that made it.
func (s *stage) on(t *testing.T) *stage {
	return &stage{Plane: s.Plane, t: t, config: s.config, kube: s.kube}
}

// kubeconfig writes what `portico kubeconfig` prints into a file.
func (s *stage) kubeconfig(cluster string) string {
	s.t.Helper()
	r, err := s.Portico(s.limited(), "kubeconfig", cluster)
	s.must(err)
	if r.Code != 0 {
		s.t.Fatalf("portico kubeconfig %s: %s", cluster, r.Talk)
	}
	file := filepath.Join(s.t.TempDir(), "kubeconfig")
	s.must(os.WriteFile(file, []byte(r.Out), 0o600))
	return file
}

// get asks through the API server, as kubectl proxy does.
func (s *stage) get(c child, path string) string {
	s.t.Helper()
	var last error
	// Endpoints follow pods' readiness by a moment, which no object of ours tells of.
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		out, err := c.typed.RESTClient().Get().AbsPath(path).DoRaw(s.limited())
		if err == nil {
			return string(out)
		}
		last = err
	}
	s.t.Fatalf("asking %s: %v", path, last)
	return ""
}

func (s *stage) serviceAnswers(c child, kubeconfig string) {
	s.releases(c.kube, e2e.PodinfoNamespace, e2e.PodinfoService, "deployed")
	if page := s.get(c, e2e.PodinfoServiceURL); !strings.Contains(page, `"message": "first"`) {
		s.t.Errorf("podinfo answers %s, want the message \"first\"", page)
	}
	if log := s.kubectl(kubeconfig, "logs", "-n", e2e.PodinfoNamespace, "deployment/podinfo"); !strings.Contains(log, "Starting HTTP Server") {
		s.t.Errorf("the log of podinfo does not say that it started: %s", log)
	}
	// podcli resolves the service's name, so this is the cluster's DNS and kube-proxy too.
	address := "http://podinfo.podinfo.svc.cluster.local:9898/healthz"
	s.kubectl(kubeconfig, "exec", "-n", e2e.PodinfoNamespace, "deployment/podinfo", "--", "podcli", "check", "http", address, "--retry=3")
}

// volumeHoldsData writes through one pod, and reads through another.
func (s *stage) volumeHoldsData(c child) {
	ctx := s.limited()
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("16Mi")}},
		},
	}
	s.must(c.kube.Create(ctx, claim))
	s.writer(c, "first")
	answer, err := c.typed.RESTClient().Post().AbsPath(podPath("first", "store")).Body([]byte("kept")).DoRaw(ctx)
	s.must(err)
	_, hash, found := strings.Cut(string(answer), `"hash": "`)
	if !found {
		s.t.Fatalf("storing: the answer is %s", answer)
	}
	hash, _, _ = strings.Cut(hash, `"`)
	s.must(c.kube.Delete(ctx, pod("first"), client.GracePeriodSeconds(1)))
	s.must(e2e.AwaitGone(ctx, c.kube, pod("first")))
	s.writer(c, "second")
	if kept := s.get(c, podPath("second", "store/"+hash)); kept != "kept" {
		s.t.Errorf("the volume holds %q, want %q", kept, "kept")
	}
	if bound, err := e2e.Await(ctx, c.kube, claim, func(p *corev1.PersistentVolumeClaim) string { return phaseUnless(p, corev1.ClaimBound) }); err != nil || bound.Spec.VolumeName == "" {
		s.t.Errorf("the claim is not bound: %v", err)
	}
	s.must(c.kube.Delete(ctx, pod("second"), client.GracePeriodSeconds(1)))
	s.must(c.kube.Delete(ctx, claim))
}

func phaseUnless(p *corev1.PersistentVolumeClaim, want corev1.PersistentVolumeClaimPhase) string {
	if p.Status.Phase == want {
		return ""
	}
	return "it is " + string(p.Status.Phase)
}

func podPath(name, below string) string {
	return fmt.Sprintf("/api/v1/namespaces/default/pods/%s:9898/proxy/%s", name, below)
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
}

// writer starts a pod that keeps what is posted to it on the claim "data".
func (s *stage) writer(c child, name string) {
	s.t.Helper()
	p, root := pod(name), int64(0)
	p.Spec = corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "podinfo", Image: e2e.PodinfoImage + ":" + e2e.PodinfoVersion,
			VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(9898)},
			}},
			SecurityContext: &corev1.SecurityContext{RunAsUser: &root},
		}},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
		}}},
	}
	s.must(c.kube.Create(s.limited(), p))
	_, err := e2e.Await(s.limited(), c.kube, pod(name), func(p *corev1.Pod) string {
		for _, condition := range p.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return ""
			}
		}
		return fmt.Sprintf("it is %s: %v", p.Status.Phase, p.Status.ContainerStatuses)
	})
	s.must(err)
}

func (s *stage) serviceUpgrades(c child, demo e2e.Cluster) {
	demo.Message = "second"
	s.timed("from a new value to its release", func() {
		s.apply(demo.Object())
		s.awaitReady(demo) // it must not say so of the values before
	})
	s.releases(c.kube, e2e.PodinfoNamespace, e2e.PodinfoService, "superseded", "deployed")
	// The values of a service are no values of the cluster's own chart.
	s.releases(s.kube, e2e.SystemNamespace, demo.Name, "deployed")
	deadline := time.Now().Add(time.Minute)
	for page := ""; !strings.Contains(page, `"message": "second"`); page = s.get(c, e2e.PodinfoServiceURL) {
		if time.Now().After(deadline) {
			s.t.Fatalf("podinfo answers %s, want the message \"second\"", page)
		}
	}
}

func (s *stage) scales(c child, demo e2e.Cluster) {
	demo.Message = "second"
	for i, workers := range []int{2, 1} {
		demo.Workers = workers
		s.timed(fmt.Sprintf("from applied to %d machines", workers), func() {
			s.apply(demo.Object())
			s.must(e2e.AwaitWorkers(s.limited(), s.kube, demo))
			s.awaitReady(demo)
		})
		s.awaitNodes(c, workers)
		if machines := s.pids("machines/"); len(machines) != workers {
			s.t.Errorf("the machines %v run, want %d", machines, workers)
		}
		s.releases(s.kube, e2e.SystemNamespace, demo.Name, append([]string{"superseded", "superseded"}[:i+1], "deployed")...)
	}
	if page := s.get(c, e2e.PodinfoServiceURL); !strings.Contains(page, `"message": "second"`) {
		s.t.Errorf("after scaling podinfo answers %s", page)
	}
}

// awaitNodes waits until the cluster has so many ready nodes. Cluster API counts a machine no
// longer that is on its way out, and deletes its node last.
func (s *stage) awaitNodes(c child, want int) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		nodes := s.nodes(c)
		if len(nodes) == want {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the cluster has the ready nodes %v, want %d", nodes, want)
		}
	}
}

// adopts takes the cluster as if somebody else had made it, and puts a service on it.
func (s *stage) adopts(c child, demo e2e.Cluster) {
	raw, err := os.ReadFile(s.kubeconfig(demo.Name))
	s.must(err)
	s.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "theirs"}, Data: map[string][]byte{"value": raw}})
	s.apply(secretCredential("theirs"))
	adopted := adopt("adopted", "theirs")
	service := e2e.Podinfo("adopted")
	service.Name, service.Namespace = "visitor", "visitor"
	adopted.Spec.ServiceSpec.Services = []kcm.Service{service}
	key := client.ObjectKeyFromObject(adopted)
	s.timed("from adopting to ready, the service included", func() {
		s.apply(adopted)
		_, err := e2e.AwaitReady(s.limited(), s.kube, key)
		s.must(err)
	})
	s.releases(c.kube, "visitor", "visitor", "deployed")
	s.timed("letting it go", func() { s.remove(key) })
	s.releases(c.kube, "visitor", "visitor")
	s.releases(c.kube, e2e.PodinfoNamespace, e2e.PodinfoService, "superseded", "deployed")
	s.must(s.kube.Delete(s.limited(), secretCredential("theirs")))
}

// secretCredential points to a Secret of the same name.
func secretCredential(name string) *kcm.Credential {
	return &kcm.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: name},
		Spec:       kcm.CredentialSpec{IdentityRef: &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: e2e.SystemNamespace, Name: name}},
	}
}

func adopt(name, credential string) *kcm.ClusterDeployment {
	d := deployment(client.ObjectKey{Namespace: e2e.SystemNamespace, Name: name})
	d.Spec = kcm.ClusterDeploymentSpec{Template: e2e.AdoptedTemplate, Credential: credential, Config: &kcm.JSON{Raw: []byte("{}")}}
	return d
}
