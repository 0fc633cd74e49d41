package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Claims are the networks of one data folder. Networks carry no owner, and several management
// planes may share a computer: so a file with the network's identity says whose it is. It is
// written before anything of the network and removed after all of it.
type Claims struct {
	Host
	// Dir holds the files. It is absolute.
	Dir string
}

// EnsureCluster claims the network and makes it, or completes it.
func (c Claims) EnsureCluster(ctx context.Context, cluster Cluster) (Network, error) {
	if err := cluster.validate(); err != nil {
		return Network{}, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return Network{}, fmt.Errorf("claiming network %s: %w", cluster.ID, err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, cluster.ID), nil, 0o600); err != nil {
		return Network{}, fmt.Errorf("claiming network %s: %w", cluster.ID, err)
	}
	return c.Host.EnsureCluster(ctx, cluster)
}

// RemoveCluster removes what EnsureCluster made, however far it got, and the claim.
func (c Claims) RemoveCluster(ctx context.Context, id string) error {
	if err := c.Host.RemoveCluster(ctx, id); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(c.Dir, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("giving up the claim on network %s: %w", id, err)
	}
	return nil
}

// List returns the identities of the claimed networks, sorted.
func (c Claims) List() ([]string, error) {
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the claimed networks: %w", err)
	}
	var out []string
	for _, e := range entries {
		if idForm.MatchString(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
