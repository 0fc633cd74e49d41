package groups

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/topology"
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
	// Refused is why credentials that exist may not be used.
	Refused string `json:"refused,omitempty"`
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

// credentials reads them beside the group, and else where KOF does, in the namespace of the release, where
// the credentials of all regions are: those may be used that were made for its region.
func (c *Controller) credentials(ctx context.Context, g *Group) error {
	auth := g.Spec.HTTPClient.BasicAuth
	if auth.CredentialsSecretName == "" {
		return nil
	}
	by := topology.BorrowerOf(g, append(slices.Clone(c.Trusted), c.Release))
	for _, at := range by.Places(c.Release, auth.CredentialsSecretName) {
		var s corev1.Secret
		err := c.Live.Get(ctx, at, &s)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading Secret %s: %w", at, err)
		}
		g.use(by, auth, &s)
		if g.Found {
			return nil
		}
	}
	return nil
}

// use takes credentials, or says why not.
func (g *Group) use(by topology.Borrower, auth kof.PromxyBasicAuth, s *corev1.Secret) {
	if err := by.MayUse(s); err != nil {
		g.Refused = cmp.Or(g.Refused, fleet.Sentence(err))
		return
	}
	g.Found, g.Refused = true, ""
	g.Username, g.Password = string(s.Data[auth.UsernameKey]), string(s.Data[auth.PasswordKey])
}
