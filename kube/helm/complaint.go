package helm

import (
	"fmt"
	"math/big"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// complaint says which rule a value breaks, and never the value: it may come from a Secret,
// while what is said here is read in statuses and logs.
func complaint(rule jsonschema.ErrorKind) string {
	switch k := rule.(type) {
	case *kind.Pattern:
		return fmt.Sprintf("does not match the pattern %q", k.Want)
	case *kind.Format:
		return fmt.Sprintf("does not have the format %q", k.Want)
	case *kind.ContentEncoding:
		return fmt.Sprintf("does not have the encoding %q", k.Want)
	case *kind.ContentMediaType:
		return fmt.Sprintf("does not have the media type %q", k.Want)
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	}
	// What is left speaks of keys, kinds, counts, and of what the schema wants.
	return rule.LocalizedString(message.NewPrinter(language.English))
}

func number(r *big.Rat) string {
	f, _ := r.Float64()
	return fmt.Sprint(f)
}
