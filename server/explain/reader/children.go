package reader

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/remote"
)

// ChildrenOf connects to child clusters without asking them what they know: the few kinds that are
// looked at are in every cluster.
func ChildrenOf(clusters *remote.Clusters) Children {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, gvk := range ChildKinds() {
		mapper.Add(gvk, meta.RESTScopeNamespace)
	}
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Node"), meta.RESTScopeRoot)
	return func(ctx context.Context, key types.NamespacedName) (client.Reader, error) {
		cluster, err := clusters.Cluster(ctx, key)
		if err != nil {
			return nil, err
		}
		config := cluster.Config()
		config.Timeout, config.QPS = Patience, -1
		return client.New(config, client.Options{Scheme: runtime.NewScheme(), Mapper: mapper})
	}
}
