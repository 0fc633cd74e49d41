package install

import (
	_ "embed"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var (
	//go:embed access.yaml
	access []byte
	//go:embed access_flux.yaml
	fluxAccess []byte
	//go:embed access_sveltos.yaml
	sveltosAccess []byte
)

// Access returns the system namespace, what each program of the plane may do, and what nobody may.
func Access() ([]*unstructured.Unstructured, error) { return Decode(access) }

// FluxAccess returns what helm-controller may do.
func FluxAccess() ([]*unstructured.Unstructured, error) { return Decode(fluxAccess) }

// SveltosAccess returns what addon-controller may do, and the namespaces that it expects.
func SveltosAccess() ([]*unstructured.Unstructured, error) { return Decode(sveltosAccess) }
