package virtual

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	kubeconfigs "portico.dev/portico/kube/kubeconfig"
)

const (
	// Label and LabelValue mark the nodes that pretend.
	Label, LabelValue = "type", "virtual"
	// Annotation is KWOK's own mark, which its users and tools look for.
	Annotation, AnnotationValue = "kwok.x-k8s.io/node", "fake"

	given   = "portico.dev/virtual-"
	timeout = 10 * time.Second
)

// Node describes a node that pretends.
type Node struct {
	Name, ProviderID string
	// IP is an address that nobody has.
	IP string
	// Version is the Kubernetes version that it claims.
	Version string
	CPUs    int32
	Memory  resource.Quantity
	Labels  map[string]string
}

// EnsureNode creates the node in the cluster behind the kubeconfig. A node that is there stays
// as it is: like a real one, it registers once.
func (s *Simulator) EnsureNode(ctx context.Context, kubeconfig []byte, n Node) error {
	cfg, err := kubeconfigs.Read(kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	cfg.Timeout = timeout
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Create(ctx, n.object(), metav1.CreateOptions{FieldManager: holder})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating node %s: %w", n.Name, err)
	}
	return nil
}

func (n Node) object() *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname: n.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	}
	maps.Copy(labels, n.Labels)
	labels[Label] = LabelValue
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.Name, Labels: labels,
			Annotations: map[string]string{
				Annotation: AnnotationValue, given + "ip": n.IP, given + "version": n.Version,
				given + "cpus": strconv.Itoa(int(n.CPUs)), given + "memory": n.Memory.String(),
			},
		},
		Spec: corev1.NodeSpec{ProviderID: n.ProviderID},
	}
}
