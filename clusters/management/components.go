package management

import (
	"cmp"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// wish is a component as Management and Release want it.
type wish struct {
	name string
	// template is empty where neither names one.
	template string
}

// wishes are the components that a Management wants, in the order in which they need each
// other: Portico itself, Cluster API, then the providers as listed.
func wishes(m *kcm.Management, r *kcm.Release) []wish {
	var core kcm.Core
	if m.Spec.Core != nil {
		core = *m.Spec.Core
	}
	var offered kcm.ReleaseSpec
	if r != nil {
		offered = r.Spec
	}
	list := []wish{
		{kcm.CoreKCMName, cmp.Or(core.KCM.Template, offered.KCM.Template)},
		{kcm.CoreCAPIName, cmp.Or(core.CAPI.Template, offered.CAPI.Template)},
	}
	for _, p := range m.Spec.Providers {
		w := wish{p.Name, p.Template}
		for _, known := range offered.Providers {
			if known.Name == p.Name {
				w.template = cmp.Or(w.template, known.Template)
			}
		}
		list = append(list, w)
	}
	return list
}
