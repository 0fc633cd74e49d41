package source

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// blob is one object of a bucket.
type blob struct{ key, etag string }

// bucket lists the bucket's objects; their names and tags are its revision.
func (l lookers) bucket(ctx context.Context, b *sourcev1.Bucket) (Found, error) {
	s3, err := l.s3(ctx, b)
	if err != nil {
		return Found{}, err
	}
	blobs, err := listBlobs(ctx, s3, b)
	if err != nil {
		return Found{}, err
	}
	revision := revisionOf(blobs)
	ignore := ""
	if b.Spec.Ignore != nil {
		ignore = "\x00" + *b.Spec.Ignore
	}
	return Found{
		Revision: "sha256:" + revision,
		File:     revision + ".tar.gz",
		Input:    digestOf([]byte(revision), []byte(ignore)),
		Reason:   meta.SucceededReason,
		Message:  fmt.Sprintf("stored artifact: revision 'sha256:%s'", revision),
		Fetch: func(ctx context.Context, w io.Writer) error {
			dir, err := l.store.TempDir()
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			for _, o := range blobs {
				if err := fetchBlob(ctx, s3, b.Spec.BucketName, o, dir); err != nil {
					return err
				}
			}
			return repack(w, dir, b.Spec.Ignore)
		},
	}, nil
}

func (l lookers) s3(ctx context.Context, b *sourcev1.Bucket) (*minio.Client, error) {
	if p := b.Spec.Provider; p != "" && p != sourcev1.BucketProviderGeneric && p != sourcev1.BucketProviderAmazon {
		return nil, unsupported("spec.provider", p)
	}
	if b.Spec.STS != nil {
		return nil, unsupported("spec.sts", "a token service")
	}
	login, err := l.secrets.read(ctx, b.Namespace, b.Spec.SecretRef)
	if err != nil {
		return nil, err
	}
	a := access{login: secret{}}
	if a.certs, err = l.secrets.read(ctx, b.Namespace, b.Spec.CertSecretRef); err != nil {
		return nil, err
	}
	if a.proxy, err = l.secrets.read(ctx, b.Namespace, b.Spec.ProxySecretRef); err != nil {
		return nil, err
	}
	through, err := a.transport()
	if err != nil {
		return nil, err
	}
	client, err := minio.New(b.Spec.Endpoint, &minio.Options{
		Creds: bucketCredentials(b, login), Secure: !b.Spec.Insecure, Region: b.Spec.Region, Transport: http.RoundTripper(through),
		MaxRetries: 1, // back-off between attempts is the controller's business
	})
	if err != nil {
		return nil, invalidURL(b.Spec.Endpoint, err)
	}
	return client, nil
}

func bucketCredentials(b *sourcev1.Bucket, login secret) *credentials.Credentials {
	switch {
	case login != nil:
		return credentials.NewStaticV4(string(login["accesskey"]), string(login["secretkey"]), "")
	case b.Spec.Provider == sourcev1.BucketProviderAmazon:
		return credentials.NewIAM("")
	}
	return credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
}

// listBlobs lists the objects, without the folders that some servers list too.
func listBlobs(ctx context.Context, s3 *minio.Client, b *sourcev1.Bucket) ([]blob, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the listing when we leave it early
	defer cancel()
	var blobs []blob
	for o := range s3.ListObjects(ctx, b.Spec.BucketName, minio.ListObjectsOptions{Recursive: true, Prefix: b.Spec.Prefix}) {
		if o.Err != nil {
			return nil, bucketFailed("listing bucket "+b.Spec.BucketName+" of "+b.Spec.Endpoint, o.Err)
		}
		if !strings.HasSuffix(o.Key, "/") {
			blobs = append(blobs, blob{o.Key, o.ETag})
		}
	}
	slices.SortFunc(blobs, func(a, b blob) int { return strings.Compare(a.key, b.key) })
	return blobs, nil
}

// revisionOf is the same for the same objects, in whichever order they were listed.
func revisionOf(blobs []blob) string {
	var text strings.Builder
	for _, o := range blobs {
		fmt.Fprintf(&text, "%q %s\n", o.key, o.etag)
	}
	return digestOf([]byte(text.String()))
}

func fetchBlob(ctx context.Context, s3 *minio.Client, bucket string, o blob, dir string) error {
	name := filepath.FromSlash(o.key)
	if !filepath.IsLocal(name) {
		return failed(sourcev1.BucketOperationFailedReason, fmt.Sprintf("fetching object %q", o.key), fmt.Errorf("its name leads out of the artifact"))
	}
	options := minio.GetObjectOptions{}
	// The object may change while we read: then its content would not be what the revision says.
	if err := options.SetMatchETag(o.etag); err != nil {
		return err
	}
	if err := s3.FGetObject(ctx, bucket, o.key, filepath.Join(dir, name), options); err != nil {
		return bucketFailed(fmt.Sprintf("fetching object %q", o.key), err)
	}
	return nil
}

func bucketFailed(doing string, err error) error {
	answer := minio.ToErrorResponse(err)
	switch {
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return failed(sourcev1.AuthenticationFailedReason, doing, fmt.Errorf("%s; check accesskey and secretkey in the Secret that spec.secretRef names", answer.Message))
	case answer.Code == "NoSuchBucket":
		return failed(sourcev1.BucketOperationFailedReason, doing, fmt.Errorf("there is no such bucket"))
	}
	return failed(sourcev1.BucketOperationFailedReason, doing, err)
}
