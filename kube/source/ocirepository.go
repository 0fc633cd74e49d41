package source

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/archive"
)

// ociRepository finds the digest behind the wanted tag; the layer is fetched when it is new.
func (l lookers) ociRepository(ctx context.Context, repo *sourcev1.OCIRepository) (Found, error) {
	if repo.Spec.Verify != nil {
		return Found{}, unsupported("spec.verify", "checking signatures")
	}
	shelf, err := l.shelfOf(ctx, repo)
	if err != nil {
		return Found{}, err
	}
	revision, digest, err := shelf.resolve(ctx, repo.Spec.Reference)
	if err != nil {
		shelf.close()
		return Found{}, err
	}
	img, err := shelf.image(ctx, digest)
	if err != nil {
		shelf.close()
		return Found{}, err
	}
	manifest, err := img.Manifest()
	if err != nil {
		shelf.close()
		return Found{}, shelf.failed("reading the manifest of "+revision, err)
	}
	ignore := ""
	if repo.Spec.Ignore != nil {
		ignore = "\x00" + *repo.Spec.Ignore
	}
	return Found{
		Revision: revision,
		File:     digest.Hex + ".tar.gz",
		Input:    digestOf([]byte(digest.String()), []byte("\x00"+repo.GetLayerMediaType()+"\x00"+repo.GetLayerOperation()), []byte(ignore)),
		Metadata: manifest.Annotations,
		Reason:   meta.SucceededReason,
		Message:  fmt.Sprintf("stored artifact for digest '%s'", revision),
		Fetch: func(_ context.Context, w io.Writer) error {
			defer shelf.close()
			return l.layer(img, repo, w)
		},
	}, nil
}

func (l lookers) shelfOf(ctx context.Context, repo *sourcev1.OCIRepository) (*shelf, error) {
	a := access{url: repo.Spec.URL, insecure: repo.Spec.Insecure, provider: repo.Spec.Provider}
	var err error
	if a.login, err = l.secrets.read(ctx, repo.Namespace, repo.Spec.SecretRef); err != nil {
		return nil, err
	}
	if a.certs, err = l.secrets.read(ctx, repo.Namespace, repo.Spec.CertSecretRef); err != nil {
		return nil, err
	}
	if a.proxy, err = l.secrets.read(ctx, repo.Namespace, repo.Spec.ProxySecretRef); err != nil {
		return nil, err
	}
	return openShelf(a)
}

// resolve finds the digest of a reference: a digest goes before a range, a range before a tag.
func (s *shelf) resolve(ctx context.Context, ref *sourcev1.OCIRepositoryRef) (revision string, digest v1.Hash, err error) {
	if ref == nil {
		ref = &sourcev1.OCIRepositoryRef{}
	}
	if ref.Digest != "" {
		digest, err = v1.NewHash(ref.Digest)
		if err != nil {
			return "", digest, failed(sourcev1.OCIPullFailedReason, "spec.ref.digest", fmt.Errorf("%w: %w", fleet.ErrInvalid, err))
		}
		return digest.String(), digest, nil
	}
	tag, err := s.tag(ctx, ref)
	if err != nil {
		return "", digest, err
	}
	digest, err = s.digest(ctx, tag)
	if errors.Is(err, errNoTag) {
		tags, err := s.tags(ctx)
		if err != nil {
			return "", digest, err
		}
		return "", digest, failed(sourcev1.OCIPullFailedReason, "asking for "+s.repo.Tag(tag).String(), fmt.Errorf("the repository has no tag %q; %s", tag, offer(newestFirst(tags))))
	}
	return tag + "@" + digest.String(), digest, err
}

func (s *shelf) tag(ctx context.Context, ref *sourcev1.OCIRepositoryRef) (string, error) {
	if ref.SemVer == "" {
		if ref.Tag == "" {
			return "latest", nil
		}
		return ref.Tag, nil
	}
	tags, err := s.tags(ctx)
	if err != nil {
		return "", err
	}
	wanted, err := regexp.Compile(ref.SemverFilter)
	if err != nil {
		return "", failed(sourcev1.OCIPullFailedReason, "spec.ref.semverFilter", fmt.Errorf("%w: %w", fleet.ErrInvalid, err))
	}
	var candidates []string
	for _, t := range tags {
		if wanted.MatchString(t) {
			candidates = append(candidates, t)
		}
	}
	tag, err := choose(candidates, ref.SemVer)
	if err != nil {
		return "", failed(sourcev1.OCIPullFailedReason, "choosing a tag of "+s.repo.String(), err)
	}
	return tag, nil
}

// layer writes the selected layer: as it is, or its files packed anew without the ignored ones.
func (l lookers) layer(img v1.Image, repo *sourcev1.OCIRepository, w io.Writer) error {
	layer, err := pick(img, repo.GetLayerMediaType())
	if err != nil {
		return failed(sourcev1.OCILayerOperationFailedReason, "choosing a layer", err)
	}
	blob, err := layer.Compressed()
	if err != nil {
		return failed(sourcev1.OCILayerOperationFailedReason, "fetching the layer", err)
	}
	defer blob.Close()
	if repo.GetLayerOperation() == sourcev1.OCILayerCopy {
		if _, err := io.Copy(w, blob); err != nil {
			return failed(sourcev1.OCILayerOperationFailedReason, "fetching the layer", err)
		}
		return nil
	}
	dir, err := l.store.TempDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := archive.Unpack(bufio.NewReader(blob), dir); err != nil {
		return failed(sourcev1.OCILayerOperationFailedReason, "unpacking the layer (spec.layerSelector.operation copy stores it as it is)", err)
	}
	return repack(w, dir, repo.Spec.Ignore)
}

// pick finds the first layer of a media type, or the first layer at all.
func pick(img v1.Image, mediaType string) (v1.Layer, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	var seen []string
	for _, layer := range layers {
		have, err := layer.MediaType()
		if err != nil {
			return nil, err
		}
		if mediaType == "" || string(have) == mediaType {
			return layer, nil
		}
		seen = append(seen, string(have))
	}
	return nil, fmt.Errorf("no layer has media type %q; %s", mediaType, offer(seen))
}
