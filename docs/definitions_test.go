package docs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// definition judges objects as an API server does that serves the kind.
type definition struct {
	namespaced bool
	structure  *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// definitions are those of deploy/crds, by the versions that they serve.
func definitions(t *testing.T) map[schema.GroupVersionKind]*definition {
	t.Helper()
	files, err := filepath.Glob("../deploy/crds/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d definitions of kinds, %v", len(files), err)
	}
	all := map[schema.GroupVersionKind]*definition{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, v := range crd.Spec.Versions {
			d, err := define(v)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			d.namespaced = crd.Spec.Scope == apiextensionsv1.NamespaceScoped
			all[schema.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}] = d
		}
	}
	return all
}

func define(v apiextensionsv1.CustomResourceDefinitionVersion) (*definition, error) {
	var in apiextensions.CustomResourceValidation
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, &in, nil); err != nil {
		return nil, err
	}
	structure, err := structuralschema.NewStructural(in.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(in.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	return &definition{structure: structure, schema: validator, rules: cel.NewValidator(structure, true, celconfig.PerCallLimit)}, nil
}

// validate fills in defaults and says what is wrong with an object; old is nil for a new one.
func (d *definition) validate(o, old *unstructured.Unstructured) error {
	if d.namespaced != (o.GetNamespace() != "") {
		return fmt.Errorf("metadata.namespace is %q, but namespaced is %t", o.GetNamespace(), d.namespaced)
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(o.Object, d.structure)
	defaulting.Default(o.Object, d.structure)
	errs := validation.ValidateCustomResource(nil, o.Object, d.schema)
	if len(errs) > 0 {
		return errs.ToAggregate()
	}
	var before any
	if old != nil {
		before = old.Object
	}
	errs, _ = d.rules.Validate(context.Background(), nil, d.structure, o.Object, before, celconfig.RuntimeCELCostBudget)
	return errs.ToAggregate()
}
