package serviceset

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"path"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/follow"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/state/engine"
)

// kustomizeKey is the key of a ConfigMap or Secret that holds a kustomization, as Sveltos has it.
const kustomizeKey = "kustomize.tar.gz"

// mostFiles bounds what a kustomization in a ConfigMap or Secret may unpack to.
const mostFiles = 16 << 20

// content is what a ConfigMap or Secret holds.
type content struct {
	exists      bool
	annotations map[string]string
	data        map[string]string
	binary      map[string][]byte
}

func isPlain(kind string) bool { return kind == "ConfigMap" || kind == "Secret" }

// content reads a ConfigMap or Secret, past the cache, and has its changes followed.
func (l *look) content(ctx context.Context, ref engine.SourceRef) (content, error) {
	key := client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}
	l.follow(follow.Object{Kind: schema.GroupVersionKind{Version: "v1", Kind: ref.Kind}, Key: key})
	out := content{exists: true, data: map[string]string{}}
	var err error
	switch ref.Kind {
	case "ConfigMap":
		var obj corev1.ConfigMap
		err = l.c.live.Get(ctx, key, &obj)
		maps.Copy(out.data, obj.Data)
		out.binary, out.annotations = obj.BinaryData, obj.Annotations
	case "Secret":
		var obj corev1.Secret
		err = l.c.live.Get(ctx, key, &obj)
		for k, v := range obj.Data {
			out.data[k] = string(v)
		}
		out.binary, out.annotations = obj.Data, obj.Annotations
	}
	if apierrors.IsNotFound(err) {
		return content{}, nil
	}
	if err != nil {
		return content{}, fmt.Errorf("reading %s %s: %w", ref.Kind, key, err)
	}
	return out, nil
}

// source completes a source that is a ConfigMap or Secret; problem says why it cannot be used.
func (c content) source(from engine.Source, kind engine.Kind) (_ engine.Source, problem string) {
	name := fmt.Sprintf("%s %s/%s", from.Ref.Kind, from.Ref.Namespace, from.Ref.Name)
	if !c.exists {
		return from, name + " does not exist: create it"
	}
	from.Files = map[string]string{}
	if kind == engine.Kustomize {
		if err := unpack(c.binary[kustomizeKey], from.Files); err != nil {
			return from, fmt.Sprintf("%s holds no kustomization: its key %s: %v", name, kustomizeKey, err)
		}
	} else {
		for k, text := range c.data {
			from.Files[manifestName(k)] = text
		}
	}
	if len(from.Files) == 0 {
		return from, name + " is empty: put manifests into it, under any keys"
	}
	from.Digest = engine.DigestOf(from.Files)
	from.Revision = from.Digest
	return from, ""
}

// manifestName is the key of a ConfigMap as the name of a file: any key holds manifests, and what
// reads folders goes by the ending.
func manifestName(key string) string {
	switch path.Ext(key) {
	case ".yaml", ".yml", ".json":
		return key
	}
	return key + ".yaml"
}

func unpack(data []byte, into map[string]string) error {
	if len(data) == 0 {
		return fmt.Errorf("it is missing: make it with kubectl create configmap NAME --from-file=%s", kustomizeKey)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(zip, mostFiles+1)); err != nil || n > mostFiles {
		return fmt.Errorf("it cannot be unpacked, or is more than %d MiB unpacked", mostFiles>>20)
	}
	files, err := archive.Files(bytes.NewReader(data))
	if err != nil {
		return err
	}
	for _, f := range files {
		into[f.Name] = string(f.Data)
	}
	return nil
}
