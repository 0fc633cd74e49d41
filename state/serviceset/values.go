package serviceset

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/values"
)

// give puts the values of a service into it, or why there are none. What was worked on once is not
// worked on again.
func give(out *engine.Service, svc kcm.ServiceWithValues, saw Observed) {
	if svc.Values == "" && len(svc.ValuesFrom) == 0 {
		return
	}
	in := values.Input{Service: svc.Name, Inline: svc.Values, Precedence: saw.Precedence}
	quotes := values.IsTemplate(svc.Values)
	for _, from := range svc.ValuesFrom {
		name := nameOfValues(from)
		source, ok := saw.Values[name]
		if !ok {
			out.Problem = fmt.Sprintf("%s (valuesFrom of service %s) does not exist: create it, or take the reference out", name, svc.Name)
			return
		}
		in.From = append(in.From, source)
		quotes = quotes || isTemplate(source)
	}
	if quotes {
		in.Facts = saw.Facts
		if saw.Unknown != (Unknown{}) {
			out.Problem, out.NotYet = saw.Unknown.Problem, cmp.Or(out.NotYet, saw.Unknown.NotYet)
			return
		}
	}
	keeps := saw.kept
	if secret(in) {
		keeps = nil // what came out of a Secret does not stay in memory
	}
	text, err := keeps.get(in)
	if err != nil {
		out.Problem = fleet.Sentence(err)
	}
	out.Values = text
}

func nameOfValues(from kcm.ValuesFrom) string { return from.Kind + "/" + from.Name }

// isTemplate says whether documents of a source are evaluated.
func isTemplate(source values.Source) bool {
	_, annotated := source.Annotations[kcm.ResourceTemplateAnnotation]
	return annotated && slices.ContainsFunc(slices.Collect(maps.Values(source.Data)), values.IsTemplate)
}

// secret says whether Secrets go into values.
func secret(in values.Input) bool {
	for _, object := range in.Facts.MgmtResources {
		if object["kind"] == "Secret" {
			return true
		}
	}
	return slices.ContainsFunc(in.From, func(s values.Source) bool { return s.Kind == "Secret" })
}

// digestOf tells inputs apart.
func digestOf(in values.Input) [sha256.Size]byte {
	// Maps are written in the order of their keys, and nothing in it cannot be written.
	text, _ := json.Marshal(in)
	return sha256.Sum256(text)
}
