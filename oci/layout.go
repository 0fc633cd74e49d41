package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// RefName is the annotation that names an entry of a layout's index.
const RefName = "org.opencontainers.image.ref.name"

var (
	errUnknownName = errors.New("no such repository")
	errUnknownRef  = errors.New("no such manifest")
	digestForm     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// descriptor points to a blob of the layout.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

// layout is an OCI image layout. Its index is read for every question, so that a layout which
// another program replaces or adds to is served as it is now.
type layout struct{ files fs.FS }

// entry is a named manifest of the layout. Its host may be empty.
type entry struct {
	host, repository, tag string
	descriptor
}

// name is what a request asks for: a repository, and the host whose mirror the client takes us
// for, if it says so.
type name struct{ host, repository string }

func (n name) of(e entry) bool {
	return e.repository == n.repository && (n.host == "" || n.host == e.host)
}

func (l layout) entries() ([]entry, error) {
	raw, err := fs.ReadFile(l.files, "index.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a layout that nobody has written to yet is an empty one
	}
	if err != nil {
		return nil, fmt.Errorf("reading the layout's index: %w", err)
	}
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("reading the layout's index: %w", err)
	}
	var out []entry
	for _, d := range index.Manifests {
		if host, repository, tag, ok := splitReference(d.Annotations[RefName]); ok {
			out = append(out, entry{host, repository, tag, d})
		}
	}
	return out, nil
}

// tags returns the sorted tags of a repository.
func (l layout) tags(wanted name) ([]string, error) {
	all, err := l.entries()
	if err != nil {
		return nil, err
	}
	tags := []string{}
	for _, e := range all {
		if wanted.of(e) {
			tags = append(tags, e.tag)
		}
	}
	if len(tags) == 0 {
		return nil, errUnknownName
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// manifest finds a manifest of the repository by tag or digest.
func (l layout) manifest(wanted name, reference string) (descriptor, error) {
	all, err := l.entries()
	if err != nil {
		return descriptor{}, err
	}
	known := false
	for _, e := range all {
		if !wanted.of(e) {
			continue
		}
		known = true
		if e.tag == reference || e.Digest == reference {
			return e.descriptor, nil
		}
	}
	if !known {
		return descriptor{}, errUnknownName
	}
	if !digestForm.MatchString(reference) {
		return descriptor{}, errUnknownRef
	}
	return l.inner(reference)
}

// inner describes a manifest that is not in the layout's index but in an image index of it.
func (l layout) inner(digest string) (descriptor, error) {
	raw, err := fs.ReadFile(l.files, blobPath(digest))
	if err != nil {
		return descriptor{}, errUnknownRef
	}
	var head struct {
		SchemaVersion int    `json:"schemaVersion"`
		MediaType     string `json:"mediaType"`
	}
	if json.Unmarshal(raw, &head) != nil || head.SchemaVersion != 2 {
		return descriptor{}, errUnknownRef
	}
	if head.MediaType == "" {
		head.MediaType = "application/vnd.oci.image.manifest.v1+json"
	}
	return descriptor{MediaType: head.MediaType, Digest: digest}, nil
}

// blobPath is the file of a digest; the digest's form was checked.
func blobPath(digest string) string {
	return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:")
}

// splitReference splits "host/repository:tag", in which the host may be missing.
func splitReference(ref string) (host, repository, tag string, ok bool) {
	if first, rest, found := strings.Cut(ref, "/"); found && (strings.ContainsAny(first, ".:") || first == "localhost") {
		host, ref = first, rest
	}
	i := strings.LastIndexByte(ref, ':')
	if i <= 0 || strings.ContainsRune(ref[i:], '/') || i == len(ref)-1 {
		return "", "", "", false
	}
	return host, ref[:i], ref[i+1:], true
}
