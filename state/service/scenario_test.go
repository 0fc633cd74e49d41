package service_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/state/service"
)

// A scenario has a spec, what the world around it is like, and the set as it is.
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		req := service.Request{
			Name: types.NamespacedName{Namespace: "dev", Name: "demo"}, Cluster: "demo",
			Owner: metav1.OwnerReference{APIVersion: "k0rdent.mirantis.com/v1beta1", Kind: "ClusterDeployment", Name: "demo", UID: "1"},
		}
		var world struct {
			Templates  map[string]service.Template
			Chains     map[string]kcm.TemplateChainSpec
			Provider   *kcm.StateManagementProvider
			Kubernetes string
			Wave       string
			Revision   string
			After      []string
			// Owner is a MultiClusterService.
			Owner string
			Self  bool
		}
		for name, into := range map[string]any{"spec.yaml": &req.Spec, "world.yaml": &world} {
			if err := in.Decode(name, into); err != nil {
				return nil, err
			}
		}
		if in.Has("serviceset.yaml") {
			req.Stored = &kcm.ServiceSet{}
			if err := in.Decode("serviceset.yaml", req.Stored); err != nil {
				return nil, err
			}
		}
		req.Templates, req.Chains, req.Provider, req.Kubernetes = world.Templates, world.Chains, world.Provider, world.Kubernetes
		req.Wave, req.Revision, req.After, req.MultiClusterService, req.SelfManagement = world.Wave, world.Revision, world.After, world.Owner, world.Self
		made, err := service.Assemble(req)
		if err != nil {
			return []scenario.Section{scenario.Text("refused", fleet.Sentence(err))}, nil
		}
		return sections(made)
	})
}

func sections(made service.Assembled) ([]scenario.Section, error) {
	var services, held, paths []string
	for _, s := range made.Set.Spec.Services {
		text, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		services = append(services, string(text))
	}
	for _, h := range made.Held {
		held = append(held, fmt.Sprintf("%s/%s (%s) %s: it %s", h.Namespace, h.Name, h.Template, h.Reason, h.Message))
	}
	for _, p := range made.Paths {
		for _, up := range p.AvailableUpgrades {
			var way []string
			for _, v := range up.Versions {
				way = append(way, v.Name+"@"+v.Version)
			}
			paths = append(paths, fmt.Sprintf("%s/%s at %s: %s", p.Namespace, p.Name, p.Template, strings.Join(way, " ")))
		}
	}
	notes, err := service.NotesOf(made.Set)
	if err != nil {
		return nil, err
	}
	notes.Held = nil // they are above
	text, err := json.Marshal(notes)
	if err != nil {
		return nil, err
	}
	meta := []string{"labels " + pairs(made.Set.Labels), "revision " + made.Set.Annotations[statev1.RevisionAnnotation], "notes " + string(text)}
	provider, err := json.Marshal(made.Set.Spec.Provider)
	if err != nil {
		return nil, err
	}
	meta = append(meta, "provider "+string(provider))
	return []scenario.Section{scenario.Text("services", services...), scenario.Text("held", held...), scenario.Text("paths", paths...), scenario.Text("set", meta...)}, nil
}

func pairs(m map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+"="+m[key])
	}
	return strings.Join(out, " ")
}
