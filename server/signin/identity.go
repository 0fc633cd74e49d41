package signin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Identity is a user as Kubernetes knows users.
type Identity struct {
	Name   string              `json:"name"`
	UID    string              `json:"uid,omitempty"`
	Groups []string            `json:"groups,omitempty"`
	Extra  map[string][]string `json:"-"`
}

// Authenticated is the group of everybody whom Kubernetes has let in.
const Authenticated = "system:authenticated"

// Key is the same for equal identities, and for no others. It is short, however many groups there are.
func (i Identity) Key() string {
	b := sha256.New()
	add := func(words ...string) {
		fmt.Fprintf(b, "%d", len(words)) // a hash takes everything
		for _, w := range words {
			fmt.Fprintf(b, "%q", w)
		}
	}
	add(i.Name, i.UID)
	add(slices.Sorted(slices.Values(i.Groups))...)
	for _, k := range sortedKeys(i.Extra) {
		add(k)
		add(i.Extra[k]...)
	}
	return hex.EncodeToString(b.Sum(nil))
}

// How says by what a request proved whom it comes from.
type How string

// The ways of proof.
const (
	ByCertificate How = "certificate"
	ByToken       How = "token"
	BySession     How = "session"
)

// ErrUnknown means that nobody knows whom a request comes from.
var ErrUnknown = errors.New("who are you")

// ErrForged means that a request could have been sent by a page of somebody else.
var ErrForged = errors.New("the request may not come from our page")

type identityKey struct{}

// With returns a context that carries whom its request comes from.
func With(ctx context.Context, i Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, i)
}

// From is whom the request of a context comes from; the zero value where With was not called.
func From(ctx context.Context) Identity {
	i, _ := ctx.Value(identityKey{}).(Identity)
	return i
}
