package install

import (
	_ "embed"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

//go:embed access.yaml
var access []byte

// Access returns the system namespace, what each program of the plane may do, and what nobody may.
func Access() ([]*unstructured.Unstructured, error) { return Decode(access) }
