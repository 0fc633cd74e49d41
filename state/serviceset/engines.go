package serviceset

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
)

// engines are those that there are, by name.
type engines struct {
	byName   map[string]engine.Engine
	fallback string
}

func newEngines(all []engine.Engine, fallback string) engines {
	out := engines{byName: map[string]engine.Engine{}, fallback: fallback}
	for _, e := range all {
		out.byName[e.Name()] = e
	}
	return out
}

// wanted is the engine that a set asks for by its label.
func (e engines) wanted(set *kcm.ServiceSet) (engine.Engine, error) {
	name := set.Labels[statev1.EngineLabel]
	if name == "" {
		name = e.fallback
	}
	if found := e.byName[name]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("choosing an engine: %w: there is no engine %q, only %s: correct the label %s in spec.selector of StateManagementProvider %q",
		fleet.ErrInvalid, name, strings.Join(slices.Sorted(maps.Keys(e.byName)), ", "), statev1.EngineLabel, set.Spec.Provider.Name)
}

// having is the engine that made what is there of a set; nil if nothing was made yet.
func (e engines) having(was Record) (engine.Engine, error) {
	if was.Engine == "" {
		return nil, nil
	}
	if found := e.byName[was.Engine]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("choosing an engine: %w: the services were installed by engine %q, which is not there any more, only %s: bring it back, or take the annotation %s off to leave them where they are",
		fleet.ErrInvalid, was.Engine, strings.Join(slices.Sorted(maps.Keys(e.byName)), ", "), recordAnnotation)
}

func (e engines) forget(set types.NamespacedName) {
	for _, one := range e.byName {
		one.Forget(set)
	}
}

// listen calls told for each change of each engine until ctx ends.
func (e engines) listen(ctx context.Context, told func(engine.Ref)) {
	for _, one := range e.byName {
		go func() {
			for {
				select {
				case ref := <-one.Changes():
					told(ref)
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	<-ctx.Done()
}
