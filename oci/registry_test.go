package oci_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/oci"
)

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// world is a layout of one image, one image index with an inner manifest, and one chart.
type world struct {
	files                                    fstest.MapFS
	image, inner, index, chart, blob, nobody string
}

func newWorld() world {
	w := world{files: fstest.MapFS{}}
	put := func(content string) string {
		d := digest(content)
		w.files["blobs/sha256/"+d[len("sha256:"):]] = &fstest.MapFile{Data: []byte(content)}
		return d
	}
	w.blob = put("0123456789")
	w.image = put(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)
	w.inner = put(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","x":1}`)
	w.index = put(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}`)
	w.chart = put(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","x":2}`)
	w.nobody = digest("nobody has this")
	entry := func(mediaType, digest, name string) map[string]any {
		return map[string]any{"mediaType": mediaType, "digest": digest, "annotations": map[string]string{oci.RefName: name}}
	}
	const image, index = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
	raw, err := json.Marshal(map[string]any{"manifests": []any{
		entry(image, w.image, "portico.local/dns:1.2.3"),
		entry(index, w.index, "portico.local/dns:many"),
		entry(image, w.chart, "charts/blobs/demo:1.0.0"),
	}})
	if err != nil {
		panic(err)
	}
	w.files["index.json"] = &fstest.MapFile{Data: raw}
	return w
}

func TestRegistry(t *testing.T) {
	w := newWorld()
	server := httptest.NewServer(oci.Registry(w.files))
	defer server.Close()
	cases := []struct {
		why, method, path, ranged string
		status                    int
		body, digest              string
	}{
		{why: "Clients ask first whether this is a registry.", path: "/v2/", status: 200, body: "{}\n"},
		{why: "The host's name is not part of the repository.", path: "/v2/dns/manifests/1.2.3", status: 200, digest: w.image},
		{why: "A mirror of that host serves it.", path: "/v2/dns/manifests/1.2.3?ns=portico.local", status: 200, digest: w.image},
		{why: "Another registry's repository of the same name is another one.", path: "/v2/dns/manifests/1.2.3?ns=docker.io", status: 404},
		{why: "A manifest is found by digest as well.", path: "/v2/dns/manifests/" + w.image, status: 200, digest: w.image},
		{why: "A manifest inside an index is found by digest.", path: "/v2/dns/manifests/" + w.inner, status: 200, digest: w.inner},
		{why: "A blob is no manifest.", path: "/v2/dns/manifests/" + w.blob, status: 404},
		{why: "Tags that nobody pushed are unknown.", path: "/v2/dns/manifests/9", status: 404},
		{why: "Repositories that nobody pushed are unknown.", path: "/v2/web/manifests/1.2.3", status: 404},
		{why: "containerd and Helm ask by HEAD first.", method: "HEAD", path: "/v2/dns/manifests/1.2.3", status: 200, digest: w.image},
		{why: "A layer comes whole.", path: "/v2/dns/blobs/" + w.blob, status: 200, body: "0123456789", digest: w.blob},
		{why: "An interrupted pull goes on where it was.", path: "/v2/dns/blobs/" + w.blob, ranged: "bytes=7-", status: 206, body: "789"},
		{why: "A missing blob is said to be missing.", path: "/v2/dns/blobs/" + w.nobody, status: 404},
		{why: "A digest cannot lead out of the layout.", path: "/v2/dns/blobs/sha256:..%2f..%2findex.json", status: 400},
		{why: "Tags are sorted.", path: "/v2/dns/tags/list", status: 200, body: `{"name":"dns","tags":["1.2.3","many"]}` + "\n"},
		{why: "A repository may be called like a path.", path: "/v2/charts/blobs/demo/manifests/1.0.0", status: 200, digest: w.chart},
		{why: "Nothing can be written.", method: "PUT", path: "/v2/dns/manifests/1.2.3", status: 405},
		{why: "Nothing can be uploaded.", method: "POST", path: "/v2/dns/blobs/uploads/", status: 405},
		{why: "Other paths are not ours.", path: "/", status: 404},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			req, err := http.NewRequest(c.method, server.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.ranged != "" {
				req.Header.Set("Range", c.ranged)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status {
				t.Errorf("%s %s: status %d, want %d: %s", c.method, c.path, res.StatusCode, c.status, body)
			}
			if c.body != "" && string(body) != c.body {
				t.Errorf("body = %q, want %q", body, c.body)
			}
			if got := res.Header.Get("Docker-Content-Digest"); c.digest != "" && got != c.digest {
				t.Errorf("digest = %q, want %q", got, c.digest)
			}
		})
	}
}

func TestRegistryServesWhatIsAddedLater(t *testing.T) {
	files := fstest.MapFS{}
	server := httptest.NewServer(oci.Registry(files))
	defer server.Close()
	status := func() int {
		res, err := http.Get(server.URL + "/v2/dns/tags/list")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	before := status()
	for name, f := range newWorld().files {
		files[name] = f
	}
	if diff := cmp.Diff("404 200", fmt.Sprint(before, status())); diff != "" {
		t.Errorf("status before and after the layout was written (-want +got):\n%s", diff)
	}
}
