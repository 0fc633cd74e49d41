package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/app/install"
	"portico.dev/portico/app/supervise"
	"portico.dev/portico/fleet"
)

// The folders of the kinds that engines bring along, below that of all definitions.
const (
	fluxKinds    = "helm-controller"
	sveltosKinds = "sveltos"
)

// serveWithin is how long a program of an engine may take to serve before its users are told.
const serveWithin = 30 * time.Second

// upstream is a program of another project that an engine has at work. It fulfils enginesProgram.
type upstream struct {
	*plane
	engine  string
	program supervise.Program
	// kinds is the folder with the definitions of its kinds; kind is one of them, by the resource.
	kinds string
	kind  schema.GroupResource
	// access returns what the program may do.
	access func() ([]*unstructured.Unstructured, error)
	mapper meta.RESTMapper
	// before does what else has to be done before the program starts; nil for nothing.
	before func(ctx context.Context) error
	kept   bool
}

func (u *upstream) missing() error {
	for _, file := range []string{u.program.Spec.Path, u.definitions()} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w: the engine %s needs %s, which is not in %s: build it with make build and start the plane again, or choose another engine",
				fleet.ErrInvalid, u.engine, filepath.Base(file), filepath.Dir(file))
		}
	}
	return nil
}

func (u *upstream) definitions() string { return filepath.Join(u.bin.crds(), u.kinds) }

func (u *upstream) runs() (bool, error) {
	_, running, err := u.table.Find(u.program.Spec.Name)
	return running, err
}

func (u *upstream) everServed(ctx context.Context) (bool, error) {
	return u.installer.Defines(ctx, u.kind.String())
}

func (u *upstream) serve(ctx context.Context) error {
	if err := u.missing(); err != nil {
		return err
	}
	began := u.env.Now()
	if err := u.prepare(ctx); err != nil {
		return err
	}
	if !u.kept {
		if err := u.makeHome(); err != nil {
			return err
		}
		if err := u.supervisor.Keep(ctx, u.program); err != nil {
			return err
		}
		u.kept = true
	}
	limited, cancel := context.WithTimeoutCause(ctx, serveWithin, errors.New("it does not serve yet"))
	defer cancel()
	if err := u.supervisor.Await(limited, u.program.Spec.Name); err != nil {
		return err
	}
	u.log.Info("the program of an engine serves", "engine", u.engine, "took", u.env.Now().Sub(began))
	return nil
}

// prepare has the server hold what the program needs to find.
func (u *upstream) prepare(ctx context.Context) error {
	definitions, err := u.read()
	if err != nil {
		return err
	}
	if err := u.installer.Define(ctx, definitions); err != nil {
		return err
	}
	access, err := u.access()
	if err != nil {
		return err
	}
	if err := u.installer.Apply(ctx, access); err != nil {
		return err
	}
	// The server tells of a kind a moment after it has established it.
	err = install.Await(ctx, "the kinds of the engine "+u.engine, func(context.Context) error {
		_, err := u.mapper.ResourceFor(u.kind.WithVersion(""))
		return err
	})
	if err != nil || u.before == nil {
		return err
	}
	return u.before(ctx)
}

// read returns the definitions of the program's kinds, but for those that are the plane's own too:
// the plane's are in the words of our documentation, and of the same fields.
func (u *upstream) read() ([]*unstructured.Unstructured, error) {
	theirs, err := install.Read(os.DirFS(u.definitions()))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", u.definitions(), err)
	}
	ours, err := install.Read(os.DirFS(u.bin.crds()), fluxKinds, sveltosKinds)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", u.bin.crds(), err)
	}
	return slices.DeleteFunc(theirs.Definitions, func(d *unstructured.Unstructured) bool {
		return slices.ContainsFunc(ours.Definitions, func(o *unstructured.Unstructured) bool { return o.GetName() == d.GetName() })
	}), nil
}

// makeHome makes the program's home, empty unless it runs: what one that was killed has left
// there nobody needs.
func (u *upstream) makeHome() error {
	home := u.folder.Engine(u.program.Spec.Name)
	running, err := u.runs()
	if err != nil {
		return err
	}
	if !running {
		if err := os.RemoveAll(home); err != nil {
			return fmt.Errorf("clearing the home of %s: %w", u.program.Spec.Name, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(home, "tmp"), 0o700); err != nil {
		return fmt.Errorf("making the home of %s: %w", u.program.Spec.Name, err)
	}
	return nil
}
