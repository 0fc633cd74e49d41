package groups

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
)

// Observed is what all groups of one Secret have in common.
type Observed struct {
	// Groups are those that name the Secret, sorted by namespace and name.
	Groups []Group `json:"groups,omitempty"`
	// Secret is the one that they are rendered into; nil if it does not exist.
	Secret *corev1.Secret `json:"secret,omitempty"`
	Now    time.Time      `json:"now"`
}

// Group is a PromxyServerGroup with its credentials.
type Group struct {
	kof.PromxyServerGroup
	// Found says whether the Secret with the credentials exists.
	Found    bool   `json:"found,omitempty"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

func (c *Controller) observe(ctx context.Context, name string) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	var found kof.PromxyServerGroupList
	if err := c.Kube.List(ctx, &found, client.MatchingFields{bySecret: name}); err != nil {
		return saw, fmt.Errorf("listing PromxyServerGroups: %w", err)
	}
	for _, g := range sorted(found.Items) {
		group := Group{PromxyServerGroup: g}
		if err := c.credentials(ctx, &group); err != nil {
			return saw, err
		}
		saw.Groups = append(saw.Groups, group)
	}
	if name == "" {
		return saw, nil
	}
	var s corev1.Secret
	key := types.NamespacedName{Namespace: c.Release, Name: name}
	err := c.Live.Get(ctx, key, &s)
	if client.IgnoreNotFound(err) != nil {
		return saw, fmt.Errorf("reading Secret %s: %w", key, err)
	}
	if err == nil {
		saw.Secret = &s
	}
	return saw, nil
}

// credentials reads them where KOF does, in the namespace of the release, and else beside the group.
func (c *Controller) credentials(ctx context.Context, g *Group) error {
	auth := g.Spec.HTTPClient.BasicAuth
	if auth.CredentialsSecretName == "" {
		return nil
	}
	for _, namespace := range []string{c.Release, g.Namespace} {
		var s corev1.Secret
		err := c.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: auth.CredentialsSecretName}, &s)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading Secret %s/%s: %w", namespace, auth.CredentialsSecretName, err)
		}
		g.Found, g.Username, g.Password = true, string(s.Data[auth.UsernameKey]), string(s.Data[auth.PasswordKey])
		return nil
	}
	return nil
}
