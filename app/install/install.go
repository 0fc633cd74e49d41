package install

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// SystemNamespace holds the plane's own objects.
const SystemNamespace = kcm.DefaultSystemNamespace

const owner = client.FieldOwner("portico.install")

// atOnce bounds how many requests are under way: the API server computes its whole schema
// anew with each definition, so more would only queue there.
const atOnce = 16

// Installer installs into one API server.
type Installer struct{ client client.WithWatch }

// New returns an installer that may do everything on the API server of cfg. It asks the
// server nothing.
func New(cfg *rest.Config) (*Installer, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // the bound is atOnce
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: runtime.NewScheme(), Mapper: kinds()})
	if err != nil {
		return nil, fmt.Errorf("connecting to the management API server: %w", err)
	}
	return &Installer{client: c}, nil
}

// Apply makes the server hold the objects: namespaces first, since others may be in them, the rest
// in no order. Applying twice is applying once.
func (i *Installer) Apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	var spaces, rest []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			spaces = append(spaces, o)
		} else {
			rest = append(rest, o)
		}
	}
	for _, some := range [][]*unstructured.Unstructured{spaces, rest} {
		if err := each(some, func(o *unstructured.Unstructured) error { return i.apply(ctx, o) }); err != nil {
			return err
		}
	}
	return nil
}

// each does something to all objects, atOnce at a time.
func each(objects []*unstructured.Unstructured, do func(*unstructured.Unstructured) error) error {
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, atOnce)
		errs  = make([]error, len(objects))
	)
	for n, o := range objects {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[n] = do(o)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (i *Installer) apply(ctx context.Context, o *unstructured.Unstructured) error {
	if err := i.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
	}
	return nil
}

// AwaitServer returns when the server takes definitions, which is earlier than it says that
// it is ready.
func (i *Installer) AwaitServer(ctx context.Context) error {
	return Await(ctx, "the management API server", func(ctx context.Context) error {
		_, err := i.known(ctx)
		return err
	})
}

// Await asks, at first often, until there is no error. It is for what nobody can watch yet.
func Await(ctx context.Context, what string, ask func(context.Context) error) error {
	const least, most = 10 * time.Millisecond, 500 * time.Millisecond
	for delay := least; ; delay = min(delay*5/4, most) {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w", what, context.Cause(ctx), err)
		case <-time.After(delay):
		}
	}
}
