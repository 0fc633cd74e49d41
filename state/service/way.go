package service

import (
	"slices"

	"portico.dev/portico/state/chain"
)

// Between are the templates that the services of a request still come by on their way along their
// chains, without those where they end, sorted. They have to be beside the set too.
func Between(req Request) ([]string, error) {
	p, err := newPlan(req)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, svc := range p.wanted {
		spec, exists := req.Chains[svc.TemplateChain]
		if svc.TemplateChain == "" || svc.Disable || uninstalled(svc.HelmAction) || unusable(svc, spec, exists) != "" {
			continue
		}
		key := KeyOf(svc.Namespace, svc.Name)
		from, reached := p.reached(key)
		if _, isStored := p.stored[key]; !isStored || !reached {
			continue // whatever is installed first needs no step
		}
		way, _ := chain.New(spec).Path(from.Template, svc.Template)
		for _, hop := range way[:max(len(way)-1, 0)] {
			out = append(out, hop.Template)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
