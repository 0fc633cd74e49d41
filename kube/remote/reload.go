package remote

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// reloader owns the marks, so that applying a release does not take them away.
const reloader = "portico-reload"

// Restart starts the pods of a workload (a Deployment, StatefulSet or DaemonSet) anew, as its
// own strategy says, and marks it and them with the digest of what they read (see
// helm.Mount). Restarting twice for one digest is restarting once.
func (c *Cluster) Restart(ctx context.Context, workload helm.Object, digest string) error {
	mark := map[string]any{"annotations": map[string]string{helm.LoadedAnnotation: digest}}
	err := c.patch(ctx, workload, map[string]any{
		"metadata": mark,
		"spec":     map[string]any{"template": map[string]any{"metadata": mark}},
	})
	if err != nil {
		return fmt.Errorf("restarting %s %s/%s: %w", workload.Kind, workload.Namespace, workload.Name, err)
	}
	return nil
}

// MarkLoaded marks a workload with the digest of what its pods read, and restarts nothing.
func (c *Cluster) MarkLoaded(ctx context.Context, workload helm.Object, digest string) error {
	mark := map[string]any{"annotations": map[string]string{helm.LoadedAnnotation: digest}}
	if err := c.patch(ctx, workload, map[string]any{"metadata": mark}); err != nil {
		return fmt.Errorf("marking %s %s/%s: %w", workload.Kind, workload.Namespace, workload.Name, err)
	}
	return nil
}

func (c *Cluster) patch(ctx context.Context, workload helm.Object, patch map[string]any) error {
	resource, ok := helm.WorkloadResource(workload.GroupKind())
	if !ok {
		return fmt.Errorf("%w: expected a Deployment, StatefulSet or DaemonSet of group apps", fleet.ErrInvalid)
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	_, err = client.Resource(resource).Namespace(workload.Namespace).
		Patch(ctx, workload.Name, types.MergePatchType, data, metav1.PatchOptions{FieldManager: reloader})
	return err
}
