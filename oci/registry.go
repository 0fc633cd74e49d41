package oci

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// Registry answers the pulling half of the OCI distribution protocol from the layout in files.
// It may be used by many requests at once, and while the layout is added to.
func Registry(files fs.FS) http.Handler { return registry{layout{files}} }

type registry struct{ layout layout }

// ServeHTTP routes by hand: a repository's name has slashes, so a pattern of ServeMux cannot
// tell where it ends.
func (r registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry is read-only")
		return
	}
	path, ok := strings.CutPrefix(req.URL.Path, "/v2")
	if !ok {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "the registry's paths begin with /v2/")
		return
	}
	if path == "" || path == "/" {
		writeJSON(w, struct{}{})
		return
	}
	path = path[1:]
	if name, ok := strings.CutSuffix(path, "/tags/list"); ok {
		r.serveTags(w, asked(req, name))
		return
	}
	if name, ref, ok := cutLast(path, "/manifests/"); ok {
		r.serveManifest(w, req, asked(req, name), ref)
		return
	}
	if name, digest, ok := cutLast(path, "/blobs/"); ok {
		r.serveBlob(w, req, asked(req, name), digest)
		return
	}
	refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "no such path: "+req.URL.Path)
}

// asked is what a request is about. A client that takes us for a mirror says of which registry
// by the parameter ns, as containerd does.
func asked(req *http.Request, repository string) name {
	return name{host: req.URL.Query().Get("ns"), repository: repository}
}

func (r registry) serveTags(w http.ResponseWriter, of name) {
	tags, err := r.layout.tags(of)
	if err != nil {
		refuseFor(w, err, of.repository)
		return
	}
	writeJSON(w, struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{of.repository, tags})
}

func (r registry) serveManifest(w http.ResponseWriter, req *http.Request, of name, ref string) {
	d, err := r.layout.manifest(of, ref)
	if err != nil {
		refuseFor(w, err, of.repository+":"+ref)
		return
	}
	r.serveFile(w, req, d)
}

func (r registry) serveBlob(w http.ResponseWriter, req *http.Request, of name, digest string) {
	if _, err := r.layout.tags(of); err != nil {
		refuseFor(w, err, of.repository)
		return
	}
	if !digestForm.MatchString(digest) {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", digest+" is no sha256 digest")
		return
	}
	r.serveFile(w, req, descriptor{MediaType: "application/octet-stream", Digest: digest})
}

func (r registry) serveFile(w http.ResponseWriter, req *http.Request, d descriptor) {
	f, err := r.layout.files.Open(blobPath(d.Digest))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "no such blob: "+d.Digest)
		return
	case err != nil:
		refuse(w, http.StatusInternalServerError, "UNKNOWN", "reading the layout: "+err.Error())
		return
	}
	defer f.Close()
	content, ok := f.(io.ReadSeeker)
	if !ok {
		refuse(w, http.StatusInternalServerError, "UNKNOWN", "the layout's files cannot be read from the middle")
		return
	}
	w.Header().Set("Content-Type", d.MediaType)
	w.Header().Set("Docker-Content-Digest", d.Digest)
	w.Header().Set("Etag", `"`+d.Digest+`"`)
	http.ServeContent(w, req, "", time.Time{}, content)
}

// cutLast cuts path at the last separator: a repository may itself be called "x/blobs".
func cutLast(path, separator string) (name, rest string, ok bool) {
	i := strings.LastIndex(path, separator)
	if i <= 0 {
		return "", "", false
	}
	return path[:i], path[i+len(separator):], true
}

func refuseFor(w http.ResponseWriter, err error, what string) {
	switch {
	case errors.Is(err, errUnknownName):
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", err.Error()+": "+what)
	case errors.Is(err, errUnknownRef):
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", err.Error()+": "+what)
	default:
		refuse(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client is gone if this fails; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(map[string][]fault{"errors": {{code, message}}})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
