package chain

import (
	"fmt"
	"strings"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Status folds what was observed into the status of a chain. The rules are those of admission.
func Status(k kind, c Chain, saw Observed) kcm.TemplateChainStatus {
	refs := admission.ChainRefs{SystemNamespace: saw.Home, Templates: map[string]bool{}}
	for _, t := range saw.Templates {
		refs.Templates[t.Name] = t.Exists
	}
	var problems []string
	for _, e := range admission.ValidateChain(c, c.GetChainSpec(), refs) {
		problems = append(problems, e.Error())
	}
	if brings(c, saw.Home) {
		for _, t := range saw.Templates {
			if p := originalProblem(k, t, saw.Home); p != "" {
				problems = append(problems, p)
			}
		}
	}
	return kcm.TemplateChainStatus{Valid: len(problems) == 0, ValidationError: strings.Join(problems, "; ")}
}

// originalProblem is why a template cannot be brought along; empty if it can, or was.
func originalProblem(k kind, t Listed, home string) string {
	switch {
	case t.Exists:
		return ""
	case t.Original == nil:
		return fmt.Sprintf("%s %s does not exist in namespace %s, where managed chains take their templates from: create it there", k.template, t.Name, home)
	case !t.Original.Valid && t.Original.Problem == "":
		return fmt.Sprintf("%s %s/%s has not been checked yet", k.template, home, t.Name)
	case !t.Original.Valid:
		return fmt.Sprintf("%s %s/%s is not valid: %s", k.template, home, t.Name, t.Original.Problem)
	}
	return ""
}
