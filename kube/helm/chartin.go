package helm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/archive"
)

// In returns the chart at a path of the archive with this digest ("sha256:…"), which is not itself
// a packaged chart: a repository, or what a registry serves. It is kept as Get keeps charts.
func (c *Charts) In(ctx context.Context, digest, path string, fetch func(context.Context) ([]byte, error)) (*Chart, error) {
	l, first := c.enter(digest + " " + path)
	if first {
		chart, err := loadIn(ctx, digest, path, fetch)
		c.leave(l, chart, err)
	}
	select {
	case <-l.done:
		return l.chart, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the chart in %s: %w", digest, ctx.Err())
	}
}

func loadIn(ctx context.Context, digest, path string, fetch func(context.Context) ([]byte, error)) (*Chart, error) {
	whole, err := fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetching the source %s of a chart: %w", digest, err)
	}
	if sum := sha256.Sum256(whole); "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("reading the source %s of a chart: %w: the archive has another digest: fetch it again", digest, fleet.ErrInvalid)
	}
	packaged, err := archive.Chart(whole, path)
	if err != nil {
		return nil, fmt.Errorf("looking for the chart in its source: %w: %w", fleet.ErrInvalid, err)
	}
	return Load(packaged)
}
