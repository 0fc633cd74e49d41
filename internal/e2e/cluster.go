package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// What the bundle offers.
const (
	LocalTemplate   = "local-hosted-1-0-0"
	AdoptedTemplate = "adopted-cluster-1-0-0"
	PodinfoTemplate = "podinfo-6-9-2"
	// PodinfoImage is what machines find without a registry.
	PodinfoImage      = "ghcr.io/stefanprodan/podinfo"
	PodinfoVersion    = "6.9.2"
	PodinfoNamespace  = "podinfo"
	PodinfoService    = "podinfo"
	LocalCredential   = "local"
	PodinfoServiceURL = "/api/v1/namespaces/" + PodinfoNamespace + "/services/http:" + PodinfoService + ":9898/proxy"
)

// Cluster describes a cluster on this machine.
type Cluster struct {
	Name string
	// Workers is the number of machines, Real whether they run containers.
	Workers int
	Real    bool
	// Message is what podinfo says on it; empty leaves podinfo out.
	Message string
}

// Key names its ClusterDeployment.
func (c Cluster) Key() client.ObjectKey {
	return client.ObjectKey{Namespace: SystemNamespace, Name: c.Name}
}

// Object is its ClusterDeployment.
func (c Cluster) Object() *kcm.ClusterDeployment {
	kind := "Virtual"
	if c.Real {
		kind = "Real"
	}
	config, err := json.Marshal(map[string]any{"workersNumber": c.Workers, "machine": map[string]any{"kind": kind, "cpus": 1, "memory": "1Gi"}})
	if err != nil {
		panic(err) // a literal always encodes
	}
	d := &kcm.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: c.Name},
		Spec:       kcm.ClusterDeploymentSpec{Template: LocalTemplate, Credential: LocalCredential, Config: &kcm.JSON{Raw: config}},
	}
	if c.Message != "" {
		d.Spec.ServiceSpec.Services = []kcm.Service{Podinfo(c.Message)}
	}
	return d
}

// Podinfo is the bundled service, saying something.
func Podinfo(message string) kcm.Service {
	return kcm.Service{
		Template: PodinfoTemplate, Name: PodinfoService, Namespace: PodinfoNamespace,
		Values: fmt.Sprintf("image: {repository: %s}\nui: {message: %s}\n", PodinfoImage, strconv.Quote(message)),
	}
}

// Apply applies an object as a user does with kubectl apply --server-side.
func Apply(ctx context.Context, c client.Client, obj client.Object) error {
	gvk, err := apiutil.GVKForObject(obj, c.Scheme())
	if err != nil {
		return err
	}
	wanted, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("copying %s: its copy is no object", gvk.Kind)
	}
	wanted.GetObjectKind().SetGroupVersionKind(gvk)
	return control.Apply(ctx, c, "e2e", wanted)
}

// Ready says why a ClusterDeployment is not ready in the form that was asked for last; nothing if it is.
func Ready(d *kcm.ClusterDeployment) string {
	if d.Status.ObservedGeneration != d.Generation {
		return fmt.Sprintf("generation %d was seen of %d", d.Status.ObservedGeneration, d.Generation)
	}
	c := Condition(d.Status.Conditions, kcm.ReadyCondition)
	if c.Status == metav1.ConditionTrue {
		return ""
	}
	return fmt.Sprintf("Ready is %s: %s", c.Status, c.Message)
}

// Condition is the one of that type, or an empty one.
func Condition(all []metav1.Condition, kind string) metav1.Condition {
	for _, c := range all {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{Type: kind, Status: "missing"}
}

// AwaitReady waits until the ClusterDeployment is ready.
func AwaitReady(ctx context.Context, c client.WithWatch, key client.ObjectKey) (*kcm.ClusterDeployment, error) {
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	return Await(ctx, c, d, Ready)
}

// Child reaches a child cluster by the Secret that Cluster API's contract names, once it is there.
func Child(ctx context.Context, c client.WithWatch, key client.ObjectKey) (*rest.Config, client.WithWatch, error) {
	wanted := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name + kcm.KubeconfigSecretSuffix}}
	secret, err := Await(ctx, c, wanted, func(s *corev1.Secret) string {
		if len(s.Data[kcm.KubeconfigSecretKey]) == 0 {
			return "it holds no kubeconfig"
		}
		return ""
	})
	if err != nil {
		return nil, nil, err
	}
	cfg, err := clientcmd.RESTConfigFromKubeConfig(secret.Data[kcm.KubeconfigSecretKey])
	if err != nil {
		return nil, nil, fmt.Errorf("reading the kubeconfig of %s: %w", key.Name, err)
	}
	cfg.QPS = -1
	child, err := newClient(cfg)
	return cfg, child, err
}

// Releases are the records of a Helm release: the status of each revision that is kept.
func Releases(ctx context.Context, c client.Client, namespace, name string) (map[int]string, error) {
	var secrets corev1.SecretList
	if err := c.List(ctx, &secrets, client.InNamespace(namespace), client.MatchingLabels{"owner": "helm", "name": name}); err != nil {
		return nil, fmt.Errorf("listing the records of release %s/%s: %w", namespace, name, err)
	}
	out := map[int]string{}
	for _, s := range secrets.Items {
		revision, err := strconv.Atoi(s.Labels["version"])
		if err != nil {
			return nil, fmt.Errorf("reading Secret %s: its label version is %q", s.Name, s.Labels["version"])
		}
		out[revision] = s.Labels["status"]
	}
	return out, nil
}

// AwaitRelease waits until a revision of a release is deployed.
func AwaitRelease(ctx context.Context, c client.WithWatch, namespace, name string, revision int) error {
	record := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, revision)}}
	_, err := Await(ctx, c, record, func(s *corev1.Secret) string {
		if status := s.Labels["status"]; status != "deployed" {
			return "its release is " + status
		}
		return ""
	})
	return err
}

// AwaitWorkers waits until the cluster has as many machines as wanted, each a ready node.
func AwaitWorkers(ctx context.Context, c client.WithWatch, of Cluster) error {
	pool := &clusterv1.MachineDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: of.Name + "-md"}}
	_, err := Await(ctx, c, pool, func(m *clusterv1.MachineDeployment) string {
		want, s := int32(of.Workers), m.Status
		if s.ObservedGeneration == m.Generation && number(m.Spec.Replicas) == want && number(s.Replicas) == want && number(s.ReadyReplicas) == want {
			return ""
		}
		return fmt.Sprintf("it wants %d machines, has %d, of which %d are ready; expected %d", number(m.Spec.Replicas), number(s.Replicas), number(s.ReadyReplicas), want)
	})
	return err
}

func number(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}
