package machine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"portico.dev/portico/process"
)

// TestMachines is the life of a cluster with two machines, one chapter after the other: a control
// plane costs too much to start it for each.
func TestMachines(t *testing.T) {
	c := newCluster(t)
	before := settings(t)
	c.addons()
	chapters := []struct {
		name string
		tell func(*testing.T, *cluster)
	}{
		{"nodes become ready with the wanted size", nodesBecomeReady},
		{"a machine that runs is adopted", machineIsAdopted},
		{"a machine sees no secret of the host, and cannot say what it is", machineIsApart},
		{"pods reach each other by name, and the API server reaches them", podsReachEachOther},
		{"logs and exec", logsAndExec},
		{"a claim is bound and its data survives the pod", dataSurvives},
		{"a machine comes back after its first process was killed", machineComesBack},
		{"a new kube-proxy credential is taken up", credentialIsTakenUp},
		{"a released volume goes with its data", volumeGoes},
		{"a removed machine leaves nothing", machineLeavesNothing},
	}
	for _, chapter := range chapters {
		began := time.Now()
		if !t.Run(chapter.name, func(t *testing.T) { c.t = t; chapter.tell(t, c) }) {
			break // what follows builds on it
		}
		t.Logf("%s: %s", chapter.name, time.Since(began).Round(100*time.Millisecond))
	}
	c.t = t
	c.remove()
	if left := traces(t, c); len(left) > 0 {
		t.Errorf("the cluster left traces on the host:\n%s", strings.Join(left, "\n"))
	}
	if diff := cmp.Diff(before, settings(t)); diff != "" {
		t.Errorf("the host's settings changed (-before +after):\n%s", diff)
	}
}

func nodesBecomeReady(t *testing.T, c *cluster) {
	for k := range 2 {
		s := c.spec(k)
		began := time.Now()
		status, err := c.host.Ensure(t.Context(), s)
		c.must(err)
		if !status.Started {
			t.Errorf("Ensure says that it found machine %s running", s.ID)
		}
		c.await("nodes", "", s.NodeName, &corev1.Node{}, nodeReady)
		t.Logf("%s is Ready after %s", s.NodeName, time.Since(began).Round(100*time.Millisecond))
		n, err := c.client.CoreV1().Nodes().Get(t.Context(), s.NodeName, metav1.GetOptions{})
		c.must(err)
		got := []string{n.Spec.ProviderID, n.Labels["example.org/pool"], n.Status.Capacity.Cpu().String(), n.Status.Capacity.Memory().String(), n.Status.NodeInfo.MachineID}
		want := []string{s.ProviderID, "a", "1", "1Gi", got[4]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s's provider ID, label, CPUs and memory (-want +got):\n%s", s.NodeName, diff)
		}
		// As the controller of machines does, which alone knows the cluster's address plan.
		patch := fmt.Sprintf(`{"spec":{"podCIDR":%q,"podCIDRs":[%[1]q]}}`, s.PodCIDR)
		_, err = c.client.CoreV1().Nodes().Patch(t.Context(), s.NodeName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		c.must(err)
	}
}

func machineIsAdopted(t *testing.T, c *cluster) {
	s := c.spec(0)
	first, _, err := c.host.Find(s.ID)
	c.must(err)
	status, err := c.host.Ensure(t.Context(), s)
	c.must(err)
	if status.Started || status.Process != first {
		t.Errorf("Ensure = %+v; want %+v, which ran already", status, first)
	}
	ids, err := c.host.List()
	c.must(err)
	if diff := cmp.Diff([]string{c.spec(0).ID, c.spec(1).ID}, ids); diff != "" {
		t.Errorf("machines (-want +got):\n%s", diff)
	}
}

func machineIsApart(t *testing.T, c *cluster) {
	s := c.spec(0)
	inside := fmt.Sprintf("/proc/%d/root", c.pidOf(s.ID, "kubelet"))
	for _, secret := range []string{"/etc/ssl/private", "/etc/pki/tls/private", "/etc/shadow", "/etc/ssh"} {
		if _, err := os.Stat(inside + secret); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the machine has the host's %s (%v)", secret, err)
		}
	}
	if _, err := os.Stat("/etc/ssl/certs"); err == nil {
		if _, err := os.Stat(inside + "/etc/ssl/certs"); err != nil {
			t.Errorf("programs in the machine trust no authority: %v", err)
		}
	}
	err := os.WriteFile(inside+"/portico/config/machine.json", []byte("{}"), 0o600)
	if !errors.Is(err, unix.EROFS) {
		t.Errorf("writing the machine's own description from inside: %v; want it refused, since the host believes it", err)
	}
}

// pod is a podinfo pod on a node of the caller's choice.
const pod = `
metadata: {name: %s, labels: {app: %[1]s}}
spec:
  nodeName: %s
  containers:
  - name: podinfo
    image: ghcr.io/stefanprodan/podinfo:6.9.2
    command: [./podinfo, --port=9898]
    readinessProbe: {httpGet: {path: /readyz, port: 9898}, periodSeconds: 1}
`

func podsReachEachOther(t *testing.T, c *cluster) {
	for k, name := range []string{"left", "right"} {
		_, err := c.client.CoreV1().Pods("default").Create(t.Context(), parse[corev1.Pod](t, fmt.Sprintf(pod, name, c.spec(k).NodeName)), metav1.CreateOptions{})
		c.must(err)
		_, err = c.client.CoreV1().Services("default").Create(t.Context(), parse[corev1.Service](t, fmt.Sprintf(`
metadata: {name: %s}
spec: {selector: {app: %[1]s}, ports: [{name: http, port: 80, targetPort: 9898}]}
`, name)), metav1.CreateOptions{})
		c.must(err)
	}
	c.await("deployments", "kube-system", "coredns", &appsv1.Deployment{}, func(o runtime.Object) bool {
		return o.(*appsv1.Deployment).Status.ReadyReplicas > 0
	})
	for _, name := range []string{"left", "right"} {
		c.await("pods", "default", name, &corev1.Pod{}, podReady)
	}
	for _, from := range []string{"left", "right"} {
		for _, to := range []string{"left", "right"} {
			c.retry(func(ctx context.Context) error {
				_, err := c.exec(ctx, from, "podcli", "check", "http", "http://"+to+".default.svc.cluster.local/readyz")
				return err
			})
		}
		if got := c.proxy("services", from+":http", "GET", "/readyz", nil); !strings.Contains(got, "OK") {
			t.Errorf("the API server's proxy to service %s says %q", from, got)
		}
	}
	c.measure()
}

func logsAndExec(t *testing.T, c *cluster) {
	raw, err := c.client.CoreV1().Pods("default").GetLogs("left", &corev1.PodLogOptions{}).DoRaw(t.Context())
	c.must(err)
	if !strings.Contains(string(raw), "Starting HTTP Server") {
		t.Errorf("the pod's log lacks its first words:\n%s", raw)
	}
	out, err := c.exec(t.Context(), "right", "podcli", "version")
	c.must(err)
	if !strings.Contains(out, "6.9.2") {
		t.Errorf("podcli version says %q", out)
	}
}

func dataSurvives(t *testing.T, c *cluster) {
	_, err := c.client.CoreV1().PersistentVolumeClaims("default").Create(t.Context(), parse[corev1.PersistentVolumeClaim](t, `
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`), metav1.CreateOptions{})
	c.must(err)
	c.createStore()
	var stored struct{ Hash string }
	c.must(json.Unmarshal([]byte(c.proxy("pods", "store:9898", "POST", "/store", []byte("kept"))), &stored))
	c.must(c.client.CoreV1().Pods("default").Delete(t.Context(), "store", metav1.DeleteOptions{}))
	c.gone(func(ctx context.Context) error {
		_, err := c.client.CoreV1().Pods("default").Get(ctx, "store", metav1.GetOptions{})
		return err
	})
	c.createStore()
	if got := c.proxy("pods", "store:9898", "GET", "/store/"+stored.Hash, nil); got != "kept" {
		t.Errorf("after the pod was replaced, its volume says %q, want %q", got, "kept")
	}
}

func (c *cluster) createStore() {
	c.t.Helper()
	_, err := c.client.CoreV1().Pods("default").Create(c.t.Context(), parse[corev1.Pod](c.t, `
metadata: {name: store}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: podinfo
    image: ghcr.io/stefanprodan/podinfo:6.9.2
    readinessProbe: {httpGet: {path: /readyz, port: 9898}, periodSeconds: 1}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`), metav1.CreateOptions{})
	c.must(err)
	c.await("pods", "default", "store", &corev1.Pod{}, podReady)
}

func machineComesBack(t *testing.T, c *cluster) {
	s := c.spec(1)
	killed, ok, err := c.host.Find(s.ID)
	c.must(err)
	if !ok {
		t.Fatalf("machine %s does not run", s.ID)
	}
	kill(t, killed)
	c.must(c.host.Wait(t.Context(), s.ID))
	began := time.Now()
	status, err := c.host.Ensure(t.Context(), s)
	c.must(err)
	if !status.Started {
		t.Errorf("Ensure found machine %s running after it was killed", s.ID)
	}
	c.await("pods", "default", "right", &corev1.Pod{}, func(o runtime.Object) bool {
		statuses := o.(*corev1.Pod).Status.ContainerStatuses
		return len(statuses) == 1 && statuses[0].RestartCount > 0 && podReady(o)
	})
	t.Logf("the pod runs again %s after the machine's restart", time.Since(began).Round(100*time.Millisecond))
	c.retry(func(ctx context.Context) error {
		_, err := c.exec(ctx, "left", "podcli", "check", "http", "http://right/readyz")
		return err
	})
}

func credentialIsTakenUp(t *testing.T, c *cluster) {
	s := c.newSpec(0)
	old := c.pidOf(s.ID, "kube-proxy")
	status, err := c.host.Ensure(t.Context(), s)
	c.must(err)
	if status.Started {
		t.Error("the machine was restarted for a certificate")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if now := c.pidOf(s.ID, "kube-proxy"); now != 0 && now != old {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("kube-proxy still is process %d", old)
		}
	}
}

func volumeGoes(t *testing.T, c *cluster) {
	claim, err := c.client.CoreV1().PersistentVolumeClaims("default").Get(t.Context(), "data", metav1.GetOptions{})
	c.must(err)
	if n := len(c.volumeFolders()); n != 1 {
		t.Errorf("%d folders of volumes, want 1", n)
	}
	c.must(c.client.CoreV1().Pods("default").Delete(t.Context(), "store", metav1.DeleteOptions{}))
	c.must(c.client.CoreV1().PersistentVolumeClaims("default").Delete(t.Context(), "data", metav1.DeleteOptions{}))
	c.gone(func(ctx context.Context) error {
		_, err := c.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		return err
	})
	if left := c.volumeFolders(); len(left) > 0 {
		t.Errorf("data is left: %v", left)
	}
}

func machineLeavesNothing(t *testing.T, c *cluster) {
	id := c.spec(0).ID
	began := time.Now()
	c.must(c.host.Remove(t.Context(), id))
	t.Logf("removed in %s", time.Since(began).Round(time.Millisecond))
	left, err := c.host.Left(id)
	c.must(err)
	if len(left) > 0 {
		t.Errorf("machine %s left %v", id, left)
	}
	c.must(c.host.Remove(t.Context(), id)) // twice is once
}

// exec runs a command in a pod and returns what it says.
func (c *cluster) exec(ctx context.Context, pod string, command ...string) (string, error) {
	req := c.client.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(c.config, "GET", req.URL().String())
	if err != nil {
		return "", err
	}
	var out, talk bytes.Buffer // the two are written at the same time
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &talk})
	if err != nil {
		return "", fmt.Errorf("%s in %s: %w: %s%s", command, pod, err, out.String(), talk.String())
	}
	return out.String() + talk.String(), nil
}

// proxy sends a request through the API server.
func (c *cluster) proxy(resource, name, method, path string, body []byte) string {
	c.t.Helper()
	var out string
	c.retry(func(ctx context.Context) error {
		req := c.client.CoreV1().RESTClient().Verb(method).Resource(resource).Namespace("default").Name(name).SubResource("proxy").Suffix(path)
		if body != nil {
			req = req.Body(io.NopCloser(bytes.NewReader(body)))
		}
		raw, err := req.DoRaw(ctx)
		out = string(raw)
		return err
	})
	return out
}

// retry is for the moment that a new endpoint needs to reach every node.
func (c *cluster) retry(f func(context.Context) error) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		err := f(c.t.Context())
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal(err)
		}
	}
}

func kill(t *testing.T, p process.Process) {
	t.Helper()
	if err := signalKill(p.PID); err != nil {
		t.Fatal(err)
	}
}
