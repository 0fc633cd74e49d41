package groups

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
)

// Indexes over the Secret that a group is rendered into, and that with its credentials.
const (
	bySecret      = "groups.secret"
	byCredentials = "groups.credentials"
)

// unnamed stands for no Secret, since a request has to have a name.
const unnamed = "-"

func index(ctx context.Context, mgr ctrl.Manager) error {
	for name, of := range map[string]func(*kof.PromxyServerGroup) string{
		bySecret:      func(g *kof.PromxyServerGroup) string { return g.Labels[kof.SecretNameLabel] },
		byCredentials: func(g *kof.PromxyServerGroup) string { return g.Spec.HTTPClient.BasicAuth.CredentialsSecretName },
	} {
		err := mgr.GetFieldIndexer().IndexField(ctx, &kof.PromxyServerGroup{}, name, func(o client.Object) []string {
			return []string{of(o.(*kof.PromxyServerGroup))}
		})
		if err != nil {
			return fmt.Errorf("indexing PromxyServerGroups by Secret: %w", err)
		}
	}
	return nil
}

func partialSecret() *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(secretKind)
	return o
}

func request(secret string) reconcile.Request {
	if secret == "" {
		secret = unnamed
	}
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: secret}}
}

func ofGroup() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{request(o.GetLabels()[kof.SecretNameLabel])}
	})
}

// ofSecret wakes for the Secret that groups are rendered into, and for those with credentials.
func (c *Controller) ofSecret() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, s client.Object) []reconcile.Request {
		var users, rendered kof.PromxyServerGroupList
		err := c.Kube.List(ctx, &users, client.MatchingFields{byCredentials: s.GetName()})
		if err == nil && s.GetNamespace() == c.Release {
			err = c.Kube.List(ctx, &rendered, client.MatchingFields{bySecret: s.GetName()})
		}
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing PromxyServerGroups")
			return nil
		}
		var out []reconcile.Request
		for _, g := range append(users.Items, rendered.Items...) {
			out = append(out, request(g.Labels[kof.SecretNameLabel]))
		}
		return out
	})
}
