package source_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"portico.dev/portico/kube/source/archive"
)

// ociRegistry is a real registry over TLS; with a user it wants a password.
type ociRegistry struct {
	*httptest.Server
	t    *testing.T
	ca   string
	user string
	// pulls counts requests for blobs.
	pulls atomic.Int32
}

func newRegistry(t *testing.T, user string) *ociRegistry {
	r := &ociRegistry{t: t, user: user}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if got, _, _ := req.BasicAuth(); user != "" && got != user {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
			r.pulls.Add(1)
		}
		inner.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	r.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}))
	return r
}

func (r *ociRegistry) host() string { return strings.TrimPrefix(r.URL, "https://") }

// push stores an artifact of layers.
func (r *ociRegistry) push(ref string, layers ...v1.Layer) v1.Hash {
	r.t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	if err != nil {
		r.t.Fatal(err)
	}
	img = mutate.Annotations(img, map[string]string{"org.opencontainers.image.revision": "main@sha1:abc"}).(v1.Image)
	tag, err := name.ParseReference(r.host() + "/" + ref)
	if err != nil {
		r.t.Fatal(err)
	}
	options := []remote.Option{remote.WithTransport(r.Client().Transport)}
	if r.user != "" {
		options = append(options, remote.WithAuth(basic(r.user)))
	}
	if err := remote.Write(tag, img, options...); err != nil {
		r.t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		r.t.Fatal(err)
	}
	return digest
}

func (r *ociRegistry) pushChart(version string) {
	const layer types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	r.push("charts/web:"+strings.ReplaceAll(version, "+", "_"), static.NewLayer(chart(r.t, "web", version), layer))
}

func ociCharts(e *engine, r *ociRegistry) *sourcev1.HelmRepository {
	repo := helmRepository(e, "oci://"+r.host()+"/charts")
	repo.Spec.Type = sourcev1.HelmRepositoryTypeOCI
	repo.Spec.CertSecretRef = &meta.LocalObjectReference{Name: "ca"}
	return repo
}

func TestChartOfRegistry(t *testing.T) {
	e, r := start(t), newRegistry(t, "")
	r.pushChart("1.0.0")
	r.pushChart("1.1.0+build.7")
	exact, ranged, none := helmChart(e, "web", "1.0.0"), helmChart(e, "web", "1.x"), helmChart(e, "web", "3.0.0")
	ranged.Name, none.Name = "ranged", "none"
	e.create(secret(e, "ca", map[string]string{"ca.crt": r.ca}), ociCharts(e, r), exact, ranged, none)
	if got := awaitReady(e, exact, &sourcev1.HelmChartList{}); string(got) != string(chart(t, "web", "1.0.0")) {
		t.Error("the artifact is not the chart that was pushed")
	}
	awaitReady(e, ranged, &sourcev1.HelmChartList{})
	if got := ranged.Status.Artifact.Revision; got != "1.1.0+build.7" {
		t.Errorf("revision %s; a registry's tags have _ where versions have +", got)
	}
	await(e, none, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
		return broken(c, "InvalidChartReference", "there is 1.1.0+build.7, 1.0.0")
	})
	pulls := r.pulls.Load()
	askAgain(e, exact)
	if r.pulls.Load() != pulls {
		t.Error("a chart whose digest has not changed was fetched again")
	}
}

// A chart that is not in the registry, a registry that wants a password.
func TestRegistryFailures(t *testing.T) {
	e, r := start(t), newRegistry(t, "me")
	r.pushChart("1.0.0")
	repo := ociCharts(e, r)
	web, wep := helmChart(e, "web", ""), helmChart(e, "wep", "")
	e.create(secret(e, "ca", map[string]string{"ca.crt": r.ca}), repo, web)
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
		return broken(c, "AuthenticationFailed", "check username and password")
	})
	login := base64.StdEncoding.EncodeToString([]byte("me:secret"))
	e.create(&corev1.Secret{
		ObjectMeta: e.meta("login"), Type: corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, r.host(), login)},
	})
	// A change of the repository wakes its charts, though it has no artifact of its own.
	change(e, repo, func(r *sourcev1.HelmRepository) { r.Spec.SecretRef = &meta.LocalObjectReference{Name: "login"} })
	awaitReady(e, web, &sourcev1.HelmChartList{})
	e.create(wep)
	await(e, wep, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
		return broken(c, "OCIArtifactPullFailed", "has no repository charts/wep")
	})
}

func ociRepository(e *engine, r *ociRegistry, ref sourcev1.OCIRepositoryRef) *sourcev1.OCIRepository {
	return &sourcev1.OCIRepository{ObjectMeta: e.meta("manifests"), Spec: sourcev1.OCIRepositorySpec{
		URL: "oci://" + r.host() + "/app", Interval: every(time.Hour), Reference: &ref,
		CertSecretRef: &meta.LocalObjectReference{Name: "ca"},
	}}
}

func TestOCIRepository(t *testing.T) {
	e, r := start(t), newRegistry(t, "")
	files := []archive.File{{Name: "deploy/a.yaml", Data: []byte("a: 1\n")}, {Name: "logo.png", Data: []byte("x")}}
	var packed strings.Builder
	if err := archive.Pack(&packed, files); err != nil {
		t.Fatal(err)
	}
	const flux types.MediaType = "application/vnd.cncf.flux.content.v1.tar+gzip"
	content := static.NewLayer([]byte(packed.String()), flux)
	first := r.push("app:1.0.0", content)
	second := r.push("app:1.1.0", content, static.NewLayer([]byte("blob"), "text/plain"))
	e.create(secret(e, "ca", map[string]string{"ca.crt": r.ca}))
	pattern := sourcev1.OCIRepositoryRef{SemVer: ">=1.0.0", SemverFilter: `^1\.0\.`}
	tests := []struct {
		name, why string
		ref       sourcev1.OCIRepositoryRef
		layer     *sourcev1.OCILayerSelector
		revision  string
		want      string
	}{
		{"tag", "A tag is resolved to its digest; images are left out by default.", sourcev1.OCIRepositoryRef{Tag: "1.1.0"}, nil, "1.1.0@" + second.String(), "deploy/a.yaml"},
		{"semver", "The newest of a range.", sourcev1.OCIRepositoryRef{SemVer: "1.x"}, nil, "1.1.0@" + second.String(), "deploy/a.yaml"},
		{"filter", "Among the tags that a pattern lets through.", pattern, nil, "1.0.0@" + first.String(), "deploy/a.yaml"},
		{"digest", "A digest needs no tag.", sourcev1.OCIRepositoryRef{Digest: first.String()}, nil, first.String(), "deploy/a.yaml"},
		{"layer", "A layer can be chosen, and taken as it is.", sourcev1.OCIRepositoryRef{Tag: "1.1.0"}, &sourcev1.OCILayerSelector{MediaType: "text/plain", Operation: "copy"}, "1.1.0@" + second.String(), ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			repo := ociRepository(e, r, tc.ref)
			repo.Name, repo.Spec.LayerSelector = tc.name, tc.layer
			e.create(repo)
			data := awaitReady(e, repo, &sourcev1.OCIRepositoryList{})
			if got := repo.Status.Artifact; got.Revision != tc.revision || got.Metadata["org.opencontainers.image.revision"] != "main@sha1:abc" {
				t.Errorf("%s\nartifact %+v, want revision %s", tc.why, got, tc.revision)
			}
			if tc.layer != nil {
				if string(data) != "blob" {
					t.Errorf("%s\nthe artifact is %q", tc.why, data)
				}
				return
			}
			if got := strings.Join(names(t, data), " "); got != tc.want {
				t.Errorf("%s\nfiles %s, want %s", tc.why, got, tc.want)
			}
		})
	}
	gone := ociRepository(e, r, sourcev1.OCIRepositoryRef{Tag: "9"})
	e.create(gone)
	await(e, gone, &sourcev1.OCIRepositoryList{}, func(o *sourcev1.OCIRepository) bool {
		return broken(o, "OCIArtifactPullFailed", `the repository has no tag "9"; there is 1.1.0, 1.0.0`)
	})
}

// basic signs in with any password.
func basic(user string) authn.Authenticator {
	return authn.FromConfig(authn.AuthConfig{Username: user, Password: "secret"})
}
