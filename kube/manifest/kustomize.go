package manifest

import (
	"context"
	"errors"
	"fmt"
	"path"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
)

// KustomizeOptions say what is made of a Kustomization beyond what it says itself.
type KustomizeOptions struct {
	// Namespace is set on all namespaced objects, whatever they say, as Kustomize's own
	// field "namespace" does. Empty leaves them as they are.
	Namespace string
	// Values replace variables in what Kustomize has built: ${KEY}, ${KEY:-default} and
	// ${KEY:=default}, where KEY is one of theirs. Other variables stay as they are, and
	// $${KEY} becomes ${KEY}.
	Values map[string]string
	// Expand, if set, gets what Kustomize has built, before it is read, and returns what is to
	// be read: it may fill in placeholders of another form.
	Expand func(built []byte) ([]byte, error)
}

// building has a place for one while Kustomize works: it keeps the schemas of all kinds in package
// variables, and a Kustomization may bring its own.
var building = make(chan struct{}, 1)

// Kustomize is KustomizeWithin for those who wait as long as it takes.
func Kustomize(files map[string]string, path string, o KustomizeOptions) ([]byte, error) {
	return KustomizeWithin(context.Background(), files, path, o)
}

// KustomizeWithin builds the Kustomization in the folder path. Nothing outside of files is read:
// remote bases, plugins and charts are refused, and what reads more than 5,000 files or 8 MiB. The
// error is a fleet.ErrInvalid and names the file.
//
// One Kustomization is built at a time in the whole program. The wait for that ends with ctx, and
// the error is then the context's; what has begun is built to its end. So callers do well to keep
// what was built: the same files and options give the same bytes.
func KustomizeWithin(ctx context.Context, files map[string]string, path string, o KustomizeOptions) ([]byte, error) {
	s := survey{files: cleaned(files), seen: map[string]extent{}}
	root := clean(path)
	if err := s.folder(root); err != nil {
		return nil, fmt.Errorf("building the Kustomization %q: %w: %w", root, fleet.ErrInvalid, err)
	}
	built, err := build(ctx, s.files, root, o.Namespace)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil, fmt.Errorf("building the Kustomization %q: %w", root, err)
	}
	if err != nil {
		return nil, fmt.Errorf("building the Kustomization %q: %w: %w", root, fleet.ErrInvalid, err)
	}
	if o.Expand != nil {
		if built, err = o.Expand(built); err != nil {
			return nil, fmt.Errorf("filling in the Kustomization %q: %w", root, err)
		}
	}
	objects, err := Objects([]byte(substitute(string(built), o.Values)))
	if err != nil {
		return nil, fmt.Errorf("building the Kustomization %q: %w", root, err)
	}
	return Encode(objects)
}

func cleaned(files map[string]string) map[string]string {
	out := make(map[string]string, len(files))
	for name, text := range files {
		out[clean(name)] = text
	}
	return out
}

// The user's files and the Kustomization that is laid around theirs stand side by side: one
// must not contain the other.
const (
	inner = "/source"
	outer = "/around"
)

func build(ctx context.Context, files map[string]string, root, namespace string) ([]byte, error) {
	fs := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := fs.WriteFile(path.Join(inner, name), []byte(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	at := path.Join(inner, root)
	if namespace == "" {
		return run(ctx, fs, at)
	}
	around, err := yaml.Marshal(map[string]any{"namespace": namespace, "resources": []string{".." + at}})
	if err != nil {
		return nil, err
	}
	if err := fs.WriteFile(outer+"/kustomization.yaml", around); err != nil {
		return nil, err
	}
	return run(ctx, fs, outer)
}

func run(ctx context.Context, fs filesys.FileSystem, at string) (built []byte, err error) {
	options := krusty.MakeDefaultOptions()
	// There is nothing to be read but the source's own files.
	options.LoadRestrictions = types.LoadRestrictionsNone
	options.PluginConfig = types.DisabledPluginConfig()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	select {
	case building <- struct{}{}:
		defer func() { <-building }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting until another one is built: %w", ctx.Err())
	}
	defer survive(&err)
	made, err := krusty.MakeKustomizer(options).Run(fs, at)
	if err != nil {
		return nil, err
	}
	return made.AsYaml()
}

// survive turns a panic of Kustomize's into an error: what users write must not end the program.
func survive(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: Kustomize broke off: %v", fleet.ErrInvalid, p)
	}
}
