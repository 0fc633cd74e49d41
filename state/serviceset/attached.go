package serviceset

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

// attachedPrefix begins the names of services that policyRefs become. The dot keeps them apart from
// the user's, whose names are DNS labels.
const attachedPrefix = "policy-ref."

// usualTier is the tier of a policyRef that says none, as in Sveltos.
const usualTier = 100

// Attached is a policyRef with what was found of it.
type Attached struct {
	Ref kcm.PolicyRef
	// Source is what it leads to; Missing says that there is no such object.
	Source  engine.Source
	Missing bool
	// Problem is why it cannot be applied, NotYet what has to happen first; empty for nothing.
	Problem, NotYet string
	// Notice is what is wrong with it and does not keep it from being applied; empty for nothing.
	Notice string
}

// nameOf is how messages call a policyRef.
func nameOf(ref kcm.PolicyRef) string {
	name := fmt.Sprintf("%s %s/%s", ref.Kind, ref.Namespace, ref.Name)
	if ref.RemoteURL != nil {
		name = ref.RemoteURL.URL
	}
	if ref.Path != "" {
		name += ", path " + ref.Path
	}
	return name
}

// keyOfAttached is the same for the same reference, wherever it stands in the list.
func keyOfAttached(ref kcm.PolicyRef) engine.Key {
	sum := sha256.Sum256([]byte(nameOf(ref)))
	return engine.Key{Namespace: service.DefaultNamespace, Name: attachedPrefix + hex.EncodeToString(sum[:5])}
}

func isAttached(key engine.Key) bool { return strings.HasPrefix(key.Name, attachedPrefix) }

func tierOf(ref kcm.PolicyRef) int32 { return cmp.Or(ref.Tier, usualTier) }

// resolveAttached is the service that a policyRef becomes. What is optional and missing becomes none.
func resolveAttached(a Attached) (engine.Service, bool) {
	out := engine.Service{
		Key: keyOfAttached(a.Ref), Kind: engine.Resource, Template: nameOf(a.Ref), Source: a.Source,
		Options: optionsOf(&kcm.ServiceHelmOptions{}), Problem: a.Problem, NotYet: a.NotYet,
		SkipNamespaces: a.Ref.SkipNamespaceCreation,
	}
	switch {
	case a.Missing && a.Ref.Optional:
		return out, false
	case out.Problem != "":
	case a.Missing:
		out.Problem = "it does not exist: create it, or set optional"
	case out.NotYet == "" && a.Source.Digest == "":
		out.NotYet = "it has not been fetched yet"
	}
	return out, true
}

// one are the policyRefs without those that stand there again: what one says that is written twice,
// its first entry says.
func one(all []Attached) []Attached {
	seen := map[engine.Key]bool{}
	var out []Attached
	for _, a := range all {
		if key := keyOfAttached(a.Ref); !seen[key] {
			seen[key] = true
			out = append(out, a)
		}
	}
	return out
}

// rank says of the policyRefs of a set which ones yield to which: two may hold the same object, and
// that of the lower tier has it. Nobody knows what one holds that is not there yet. Until then those
// that would yield to it wait, lest an object changes hands twice.
func rank(set *engine.Set, tiers map[engine.Key]int32) {
	before := slices.Clone(set.Services)
	for i := range set.Services {
		svc := &set.Services[i]
		tier, is := tiers[svc.Key]
		if !is {
			continue
		}
		for _, other := range before {
			first, is := tiers[other.Key]
			if !is || first >= tier {
				continue
			}
			svc.Yields = append(svc.Yields, other.Key)
			if why := cmp.Or(other.Problem, other.NotYet); why != "" && svc.Problem == "" && svc.NotYet == "" {
				svc.NotYet = fmt.Sprintf("it waits for policyRef %s, which has the lower tier %d and may hold the same objects: %s", other.Template, first, why)
			}
		}
	}
}
