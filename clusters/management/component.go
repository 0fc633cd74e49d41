package management

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// verdict is what is to be said of a component.
type verdict struct {
	kind  verdictKind
	error string
}

type verdictKind int

const (
	// healthy means that clusters can use it.
	healthy verdictKind = iota
	// open means that it is still being looked at.
	open
	// failed means that somebody has to act.
	failed
	// incompatible is failed, because it does not fit to Cluster API.
	incompatible
)

// verdicts judge all components, by name. A component needs those before it: Portico itself,
// then Cluster API.
func verdicts(saw Observed) map[string]verdict {
	out := map[string]verdict{}
	for _, c := range saw.Components {
		v := template(c, saw)
		if v.kind == healthy {
			v = running(c, saw)
		}
		if v.kind == healthy {
			v = needs(c, out)
		}
		out[c.Name] = v
	}
	return out
}

// template judges what a component is made from.
func template(c Component, saw Observed) verdict {
	switch {
	case c.Template == "" && saw.Release == nil:
		return verdict{failed, "nobody names its ProviderTemplate, since the Release does not exist"}
	case c.Template == "":
		return verdict{failed, fmt.Sprintf("the Release has no provider %q: set its template in spec.providers, or take it off the list", c.Name)}
	case !c.Exists:
		return verdict{failed, fmt.Sprintf("ProviderTemplate %s does not exist: create it, or name another", c.Template)}
	case c.Open && c.Problem != "":
		return verdict{open, fmt.Sprintf("ProviderTemplate %s is being checked: %s", c.Template, c.Problem)}
	case c.Open:
		return verdict{open, fmt.Sprintf("ProviderTemplate %s is being checked", c.Template)}
	case !c.Valid:
		return verdict{failed, fmt.Sprintf("ProviderTemplate %s is not valid: %s", c.Template, c.Problem)}
	}
	return contracts(c, saw)
}

// contracts judges whether a provider fits to Cluster API as it is wanted here.
func contracts(c Component, saw Observed) verdict {
	i := slices.IndexFunc(saw.Components, func(c Component) bool { return c.Name == kcm.CoreCAPIName })
	if i < 0 || c.Name == kcm.CoreCAPIName {
		return verdict{}
	}
	core := saw.Components[i]
	if !core.Valid {
		return verdict{}
	}
	// The same rule, in the same words, as at admission.
	if problems := admission.CoreProblems(c.Template, c.Contracts, core.Template, core.Contracts); len(problems) > 0 {
		return verdict{incompatible, problems[0]}
	}
	return verdict{}
}

// running judges whether what a component does is there. What runs inside the plane's own
// programs is known by the kinds that it serves.
func running(c Component, saw Observed) verdict {
	switch {
	case c.Name == kcm.CoreKCMName && len(saw.MissingKinds) > 0:
		return verdict{failed, fmt.Sprintf("kinds of %s are not served: %s: start the management plane again, which defines them", kcm.GroupVersion, strings.Join(saw.MissingKinds, ", "))}
	case c.Name == kcm.CoreKCMName:
		return verdict{}
	case c.Name == kcm.CoreCAPIName:
		return core(c, saw)
	case len(c.Providers) == 0:
		return verdict{failed, fmt.Sprintf("nothing tells whether it runs: ProviderTemplate %s names no Cluster API provider, and charts of components are not installed here", c.Template)}
	}
	for _, p := range c.Providers {
		if v := provider(p, c.Contracts, saw); v.kind != healthy {
			return v
		}
	}
	return verdict{}
}

// core judges Cluster API: it serves its kinds in the version of each contract.
func core(c Component, saw Observed) verdict {
	for _, wanted := range slices.Sorted(maps.Keys(c.Contracts)) {
		if !slices.Contains(saw.CoreContracts, wanted) {
			return verdict{failed, fmt.Sprintf("Cluster API's kinds are not served in version %s (served: [%s]): start the management plane again, which defines them", wanted, strings.Join(saw.CoreContracts, ", "))}
		}
	}
	if len(saw.CoreContracts) == 0 {
		return verdict{failed, "Cluster API's kinds are not served: start the management plane again, which defines them"}
	}
	return verdict{}
}

// provider judges one Cluster API provider: it has defined kinds, and for each contract that
// its template promises some of them say which of their versions implement it.
func provider(name string, promised kcm.Contracts, saw Observed) verdict {
	var kinds []Kind
	for _, k := range saw.Kinds {
		if k.Provider == name {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return verdict{failed, fmt.Sprintf("provider %s is not installed: no definition of a kind has the label %s=%s", name, kcm.CAPIProviderLabel, name)}
	}
	for _, c := range slices.Sorted(maps.Keys(promised)) {
		kept := slices.ContainsFunc(kinds, func(k Kind) bool { return keeps(k, c, promised[c]) })
		if !kept {
			return verdict{failed, fmt.Sprintf("provider %s does not keep contract %s as promised: none of its kinds, %s among them, has the label %s%s=%s", name, c, kinds[0].Name, kcm.ChartContractPrefix, c, promised[c])}
		}
	}
	return verdict{}
}

// keeps says whether a kind implements a contract with all the versions that were promised.
func keeps(k Kind, contract, promised string) bool {
	has := strings.Split(k.Contracts[contract], "_")
	for version := range strings.SplitSeq(promised, "_") {
		if version != "" && !slices.Contains(has, version) {
			return false
		}
	}
	_, labelled := k.Contracts[contract]
	return labelled
}

// needs judges whether the components below are healthy.
func needs(c Component, before map[string]verdict) verdict {
	below := kcm.CoreCAPIName
	switch c.Name {
	case kcm.CoreKCMName:
		return verdict{}
	case kcm.CoreCAPIName:
		below = kcm.CoreKCMName
	}
	if v := before[below]; v.kind != healthy {
		return verdict{max(v.kind, open), "Some dependencies are not ready yet. Waiting for " + below}
	}
	return verdict{}
}
