package template

import (
	"errors"
	"fmt"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
)

// Judge folds what was observed into the template's status. It is pure, and total: whatever was
// seen, the status says whether the template can be used and, if not, what to do.
//
// While the content is on its way nothing is said: neither that the template is valid nor what
// is wrong, and observedGeneration does not move. What was valid of this generation stays so
// meanwhile, since running clusters and services rest on it.
func Judge(k kind, t Template, saw Observed) {
	status := t.GetTemplateStatus()
	was := *status
	*status = kcm.TemplateStatus{}
	if saw.Origin.kind == "HelmChart" {
		status.ChartRef = &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: saw.Origin.key.Name, Namespace: saw.Origin.key.Namespace}
	}
	if st, ok := t.(*kcm.ServiceTemplate); ok {
		st.Status.SourceStatus = sourceStatus(saw)
	}
	err := verdict(k, t, saw)
	if errors.Is(err, fleet.ErrNotYet) {
		if was.Valid && was.ObservedGeneration == t.GetGeneration() {
			*status = was
		}
		return
	}
	status.ObservedGeneration, status.Valid = t.GetGeneration(), err == nil
	if err != nil {
		status.ValidationError = problem(err)
	}
}

// verdict is what is wrong, nil if nothing is. It judges by what was fetched, whether or not
// fetching it again has worked: that a registry does not answer for a while breaks no template.
func verdict(k kind, t Template, saw Observed) error {
	switch {
	case saw.Problem != nil:
		return saw.Problem
	case saw.Source == nil && saw.Origin.made == nil:
		return fmt.Errorf("%s %s does not exist: create it, or name another", saw.Origin.kind, saw.Origin.key)
	case saw.Source == nil:
		return fmt.Errorf("%w: %s %s is being created", fleet.ErrNotYet, saw.Origin.kind, saw.Origin.key)
	case !saw.Source.usable() && saw.Source.Failed:
		return fmt.Errorf("Source is not ready: %s %s: %s", saw.Origin.kind, saw.Origin.key, saw.Source.Message)
	case !saw.Source.usable():
		return fmt.Errorf("%w: %s %s has not been fetched yet", fleet.ErrNotYet, saw.Origin.kind, saw.Origin.key)
	case saw.Chart == nil:
		return k.judge(t, Chart{})
	}
	status := t.GetTemplateStatus()
	status.ChartVersion, status.Description = saw.Chart.Version, saw.Chart.Description
	status.Config = &kcm.JSON{Raw: saw.Chart.Values}
	if len(saw.Chart.Schema) > 0 {
		status.SchemaConfigMapName = k.schemaPrefix + t.GetName()
	}
	return k.judge(t, *saw.Chart)
}

// sourceStatus is the state of a source that is not a HelmChart, as k0rdent shows it.
func sourceStatus(saw Observed) *kcm.SourceStatus {
	if saw.Origin.kind == "" || saw.Origin.kind == "HelmChart" || saw.Source == nil {
		return nil
	}
	out := &kcm.SourceStatus{
		Kind: saw.Origin.kind, Name: saw.Origin.key.Name, Namespace: saw.Origin.key.Namespace,
		ObservedGeneration: saw.Source.Generation, Conditions: saw.Source.Conditions,
	}
	if a := saw.Source.Artifact; a != nil {
		out.Artifact = &kcm.Artifact{
			Path: a.Path, URL: a.URL, Revision: a.Revision, Digest: a.Digest,
			LastUpdateTime: a.LastUpdateTime, Size: a.Size, Metadata: a.Metadata,
		}
	}
	return out
}
