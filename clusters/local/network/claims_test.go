package network_test

import (
	"slices"
	"testing"

	"portico.dev/portico/clusters/local/network"
)

// Two management planes share a computer: neither lists the networks of the other.
func TestClaims(t *testing.T) {
	c := cluster(newID(t))
	ours, theirs := network.Claims{Dir: t.TempDir()}, network.Claims{Dir: t.TempDir()}
	list := func(claims network.Claims) []string {
		t.Helper()
		ids, err := claims.List()
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if _, err := ours.EnsureCluster(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := list(ours); !slices.Equal(got, []string{c.ID}) {
		t.Errorf("our networks are %v, want %s", got, c.ID)
	}
	if got := list(theirs); len(got) > 0 {
		t.Errorf("their networks are %v, want none: %s is ours", got, c.ID)
	}
	if err := ours.RemoveCluster(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if got := list(ours); len(got) > 0 {
		t.Errorf("after removal our networks are %v, want none", got)
	}
}

// The claim comes first: a network that cannot be made is ours to remove, however far it came.
func TestClaimBeforeNetwork(t *testing.T) {
	c := cluster(newID(t))
	if err := create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	ours := network.Claims{Dir: t.TempDir()}
	other := network.Cluster{ID: newID(t), Index: c.Index}
	if _, err := ours.EnsureCluster(t.Context(), other); err == nil {
		t.Fatal("a network was made twice")
	}
	if got, err := ours.List(); err != nil || !slices.Equal(got, []string{other.ID}) {
		t.Errorf("our networks are %v, %v; want %s, of which something may exist", got, err, other.ID)
	}
}
