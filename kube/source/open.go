package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/fluxcd/pkg/apis/meta"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/store"
)

// Reader reads artifacts, wherever they are served: from the store when they are its own, over
// HTTP when somebody else (Flux's source-controller) has made them.
type Reader struct {
	// Store may be nil: then everything is read over HTTP.
	Store *store.Store
	// HTTP is the client for artifacts of others.
	HTTP *http.Client
}

// maxArtifact bounds an artifact that is read whole, and reading how long that may take.
const (
	maxArtifact = 256 << 20
	reading     = time.Minute
)

// Open returns the artifact's content, which has the artifact's digest. It returns
// fleet.ErrNotYet where there is no artifact, or where it was just replaced by a newer one.
func (r Reader) Open(ctx context.Context, artifact *meta.Artifact) ([]byte, error) {
	if artifact == nil {
		return nil, fmt.Errorf("reading artifact: %w: nothing is stored", fleet.ErrNotYet)
	}
	data, err := r.read(ctx, artifact)
	if err != nil {
		return nil, fmt.Errorf("reading artifact %s: %w", artifact.Path, err)
	}
	sum := sha256.Sum256(data)
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != artifact.Digest {
		return nil, fmt.Errorf("reading artifact %s: %w: its digest is %s, the source's status still says %s", artifact.Path, fleet.ErrNotYet, got, artifact.Digest)
	}
	return data, nil
}

func (r Reader) read(ctx context.Context, artifact *meta.Artifact) ([]byte, error) {
	if r.Store != nil {
		if name, ours := r.Store.PathOf(artifact.URL); ours {
			return r.local(name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, reading)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, artifact.URL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.HTTP.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", artifact.URL, resp.Status)
	}
	return limited(resp.Body, maxArtifact)
}

func (r Reader) local(name string) ([]byte, error) {
	f, err := r.Store.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", fleet.ErrNotYet, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return limited(f, maxArtifact)
}

func limited(r io.Reader, most int64) ([]byte, error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("more than %d MiB", most>>20)
	}
	return buf.Bytes(), nil
}
