package helm

import (
	"bytes"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/postrenderer"

	"portico.dev/portico/kube/manifest"
)

// patcher applies patches to what a chart renders. It implements postrenderer.PostRenderer.
type patcher struct {
	patches   []Patch
	namespace string
}

// patcher returns what Helm calls after rendering, if there is anything to do. Hooks are left
// alone: an object may well be both a hook and a part of the chart.
func (w Wanted) patcher() (postrenderer.PostRenderer, action.PostRenderStrategy) {
	if len(w.Patches) == 0 {
		return nil, action.PostRenderStrategyNoHooks
	}
	return patcher{w.Patches, w.Namespace}, action.PostRenderStrategyNoHooks
}

// Run implements postrenderer.PostRenderer.
func (p patcher) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	patched, err := manifest.Apply(p.patches, rendered.Bytes(), p.namespace)
	if err != nil {
		return nil, err
	}
	return bytes.NewBuffer(patched), nil
}
