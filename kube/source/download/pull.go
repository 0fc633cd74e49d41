package download

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// mostEntries bounds what an archive lists, read or not.
const mostEntries = 20_000

// reference reads oci://registry/repository:tag.
func reference(text string) (name.Reference, error) {
	ref, err := name.ParseReference(strings.TrimPrefix(text, "oci://"), name.WithDefaultRegistry(""))
	if err != nil || ref.Context().RegistryStr() == "" {
		return nil, errors.New("write oci://REGISTRY/REPOSITORY:TAG, or @sha256:… in place of the tag")
	}
	return ref, nil
}

// pull asks a registry for an artifact, unless it is the one of before.
func pull(ctx context.Context, through http.RoundTripper, wish Wish, was validators) (found, error) {
	ref, err := reference(wish.URL)
	if err != nil {
		return found{}, err
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithTransport(through), remote.WithAuth(wish.Credentials.registry()),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	}
	head, err := remote.Head(ref, options...)
	if err != nil {
		return found{}, answered(err)
	}
	now := validators{ETag: head.Digest.String()}
	if now == was {
		return found{validators: was}, nil
	}
	img, err := remote.Image(ref.Context().Digest(now.ETag), options...)
	if err != nil {
		return found{}, answered(err)
	}
	files, err := unpack(img)
	if err != nil {
		return found{}, answered(err)
	}
	return found{validators: now, files: files, revision: ref.Identifier()}, nil
}

// registry are the credentials in a registry's words.
func (c Credentials) registry() authn.Authenticator {
	switch {
	case c.word("token") != "":
		return authn.FromConfig(authn.AuthConfig{RegistryToken: c.word("token")})
	case c.word("username") != "":
		return authn.FromConfig(authn.AuthConfig{Username: c.word("username"), Password: c.word("password")})
	}
	return authn.Anonymous
}

// answered says a registry's refusal in words.
func answered(err error) error {
	answer := (*transport.Error)(nil)
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return errMissing
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("the registry answers %d %s: correct the credentials in the Secret that secretRef names", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return fmt.Errorf("the registry answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
}

// unpack reads the manifests of all layers.
func unpack(img v1.Image) (map[string]string, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	files, left := map[string]string{}, int64(most)
	for i, layer := range layers {
		blob, err := blobOf(layer, left)
		if err != nil {
			return nil, err
		}
		inner, err := layerFiles(blob, left)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		for file, text := range inner {
			if left -= int64(len(text)); left < 0 {
				return nil, fmt.Errorf("the content is more than %d MiB: split it", most>>20)
			}
			if _, twice := files[file]; twice {
				file = path.Join(path.Dir(file), fmt.Sprintf("layer-%d-%s", i+1, path.Base(file)))
			}
			files[file] = text
		}
	}
	if len(files) == 0 {
		return nil, errors.New("the artifact holds no .yaml, .yml or .json file: push the manifests")
	}
	return files, nil
}

func blobOf(layer v1.Layer, atMost int64) ([]byte, error) {
	r, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return bounded(r, atMost)
}

// rawName is what a layer that is no archive is called.
const rawName = "content.yaml"

// layerFiles reads the manifests of a layer: those of an archive, packed or not, or the layer itself.
func layerFiles(blob []byte, atMost int64) (map[string]string, error) {
	if bytes.HasPrefix(blob, []byte{0x1f, 0x8b}) {
		zip, err := gzip.NewReader(bytes.NewReader(blob))
		if err != nil {
			return nil, err
		}
		// An archive has heads and padding beside its files.
		if blob, err = bounded(zip, atMost+mostEntries*1024); err != nil {
			return nil, err
		}
	}
	entries := tar.NewReader(bytes.NewReader(blob))
	head, err := entries.Next()
	if err != nil && !errors.Is(err, io.EOF) { // no archive
		if len(bytes.TrimSpace(blob)) == 0 || bytes.TrimSpace(blob)[0] == '{' && !isManifest(blob) {
			return nil, nil // the empty configuration that some tools push as a layer
		}
		return map[string]string{rawName: string(blob)}, manifests(blob)
	}
	files := map[string]string{}
	for n := 0; err == nil; head, err = entries.Next() {
		if n++; n > mostEntries {
			return nil, fmt.Errorf("the archive lists more than %d files: leave out what is no manifest", mostEntries)
		}
		at := path.Clean(head.Name)
		if head.Typeflag != tar.TypeReg || !filepath.IsLocal(at) || !slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(path.Ext(at))) {
			continue
		}
		text, err := bounded(entries, atMost)
		if err != nil {
			return nil, err
		}
		if atMost -= int64(len(text)); atMost < 0 {
			return nil, fmt.Errorf("the content is more than %d MiB: split it", most>>20)
		}
		files[at] = string(text)
	}
	if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	return files, nil
}

// isManifest says whether JSON has what every object has.
func isManifest(blob []byte) bool { return bytes.Contains(blob, []byte(`"kind"`)) }
