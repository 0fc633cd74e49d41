package deployment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// Values are what the chart is rendered with: the user's, and over them what only we know.
// The second result are the paths, sorted, of what is ours alone: a chart may well not know it,
// which is no mistake of the user.
func Values(d *kcm.ClusterDeployment, saw Observed) (helm.Values, []string, error) {
	user, err := userValues(d)
	if err != nil {
		return nil, nil, err
	}
	ours := injected(d, saw)
	if _, own := user["clusterLabels"]; !own {
		ours["clusterLabels"] = labelValues(d.Labels)
	}
	// The identity is ours as a whole: nothing of the user's stays.
	if _, replaced := ours["clusterIdentity"]; replaced {
		delete(user, "clusterIdentity")
	}
	return helm.MergeValues(user, ours), alone(user, ours, ""), nil
}

// alone are the paths of what only we have written: the whole of a mapping where the user has
// none, and what we have added to it where there is one.
func alone(user, ours map[string]any, below string) []string {
	var paths []string
	for _, key := range slices.Sorted(maps.Keys(ours)) {
		theirs, both := user[key].(map[string]any)
		inner, isMap := ours[key].(map[string]any)
		if both && isMap {
			paths = append(paths, alone(theirs, inner, below+key+".")...)
			continue
		}
		paths = append(paths, below+key)
	}
	return paths
}

func userValues(d *kcm.ClusterDeployment) (helm.Values, error) {
	if d.Spec.Config == nil || len(d.Spec.Config.Raw) == 0 {
		return helm.Values{}, nil
	}
	var values map[string]any
	if err := json.Unmarshal(d.Spec.Config.Raw, &values); err != nil {
		return nil, fmt.Errorf("%w: spec.config has to be a mapping of keys to values", fleet.ErrInvalid)
	}
	return helm.MergeValues(values), nil
}

func injected(d *kcm.ClusterDeployment, saw Observed) helm.Values {
	ours := helm.Values{}
	if saw.Credential != nil {
		ours["clusterIdentity"] = identityValues(saw.Credential.Identity)
	}
	if doc := saw.Authentication; doc.Text != "" {
		auth := map[string]any{"configSecret": documentValues(d, AuthenticationDocument, doc)}
		if doc.Anonymous {
			auth["configWithAnon"] = true
		}
		ours["auth"] = auth
	}
	if doc := saw.AuditPolicy; doc.Text != "" {
		ours["audit"] = map[string]any{"policyRef": documentValues(d, AuditDocument, doc)}
	}
	return ours
}

func identityValues(ref kcm.ObjectReference) map[string]any {
	return map[string]any{"apiVersion": ref.APIVersion, "kind": ref.Kind, "name": ref.Name, "namespace": ref.Namespace}
}

func documentValues(d *kcm.ClusterDeployment, kind DocumentKind, doc Document) map[string]any {
	at := places[kind]
	return map[string]any{"name": d.Name + at.suffix, "key": at.key, "hash": doc.hash()}
}

// labelValues are the labels that a claimed ClusterDeployment has: those of the moment before
// would make a second revision at once.
func labelValues(labels map[string]string) map[string]any {
	out := make(map[string]any, len(labels)+1)
	for key, value := range labels {
		out[key] = value
	}
	out[kcm.ComponentLabel] = kcm.ComponentKCM
	return out
}
