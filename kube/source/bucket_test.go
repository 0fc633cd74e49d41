package source_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

// stubS3 speaks the few words of S3 that reading a bucket takes: listing and getting. It checks no
// signatures; the same engine was tried by hand with a real server (docs/verification.md).
type stubS3 struct {
	mu      sync.Mutex
	objects map[string]string
	closed  bool
}

func (s *stubS3) set(key, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = content
}

type s3Object struct {
	Key  string
	ETag string
	Size int
}

type s3List struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	Name     string
	Contents []s3Object
}

type s3Error struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

func (s *stubS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case s.closed && r.Header.Get("Authorization") == "":
		fail(w, http.StatusForbidden, "AccessDenied")
	case bucket != "charts":
		fail(w, http.StatusNotFound, "NoSuchBucket")
	case key == "":
		s.list(w, r.URL.Query().Get("prefix"))
	default:
		content, ok := s.objects[key]
		if !ok {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", `"`+etag(content)+`"`)
		w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
		_, _ = w.Write([]byte(content))
	}
}

func (s *stubS3) list(w http.ResponseWriter, prefix string) {
	out := s3List{Name: "charts"}
	for key, content := range s.objects {
		if strings.HasPrefix(key, prefix) {
			out.Contents = append(out.Contents, s3Object{key, `"` + etag(content) + `"`, len(content)})
		}
	}
	slices.SortFunc(out.Contents, func(a, b s3Object) int { return strings.Compare(a.Key, b.Key) })
	_ = xml.NewEncoder(w).Encode(out)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(s3Error{Code: code, Message: code})
}

func etag(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestBucket(t *testing.T) {
	e := start(t)
	s3 := &stubS3{objects: map[string]string{
		"apps/web/Chart.yaml":        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
		"apps/web/templates/cm.yaml": "# nothing\n",
		"apps/logo.png":              "x",
		"other/secret.txt":           "x",
	}, closed: true}
	server := httptest.NewServer(s3)
	defer server.Close()
	bucket := &sourcev1.Bucket{ObjectMeta: e.meta("charts"), Spec: sourcev1.BucketSpec{
		Endpoint: strings.TrimPrefix(server.URL, "http://"), Insecure: true, BucketName: "charts", Region: "us-east-1", Prefix: "apps/", Interval: every(time.Hour),
	}}
	web := helmChart(e, "web", "")
	web.Spec.Chart = "apps/web"
	web.Spec.SourceRef = sourcev1.LocalHelmChartSourceReference{Kind: sourcev1.BucketKind, Name: "charts"}
	e.create(bucket, web)
	await(e, bucket, &sourcev1.BucketList{}, func(b *sourcev1.Bucket) bool {
		return broken(b, "AuthenticationFailed", "check accesskey and secretkey")
	})
	e.create(secret(e, "login", map[string]string{"accesskey": "a", "secretkey": "b"}))
	change(e, bucket, func(b *sourcev1.Bucket) { b.Spec.SecretRef = &meta.LocalObjectReference{Name: "login"} })
	data := awaitReady(e, bucket, &sourcev1.BucketList{})
	if got := strings.Join(names(t, data), " "); got != "apps/web/Chart.yaml apps/web/templates/cm.yaml" {
		t.Errorf("files %s: want those below the prefix, without pictures", got)
	}
	awaitReady(e, web, &sourcev1.HelmChartList{})
	s3.set("apps/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.1.0\n")
	change(e, bucket, func(b *sourcev1.Bucket) { b.Annotations = map[string]string{meta.ReconcileRequestAnnotation: "1"} })
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return ready(c) && c.Status.Artifact.Revision == "1.1.0" })
	change(e, bucket, func(b *sourcev1.Bucket) { b.Spec.BucketName = "none" })
	await(e, bucket, &sourcev1.BucketList{}, func(b *sourcev1.Bucket) bool {
		return broken(b, "BucketOperationFailed", "there is no such bucket")
	})
}
