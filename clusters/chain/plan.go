package chain

// Verb is something to do with a template.
type Verb string

// What can be done.
const (
	// Create puts a copy of the original beside the chain.
	Create Verb = "create"
	// Own makes the chain an owner of a template that is there already.
	Own Verb = "own"
)

// Operation does something with one template.
type Operation struct {
	Do       Verb
	Template string
}

// String is how scenarios and events show an operation.
func (o Operation) String() string { return string(o.Do) + " " + o.Template }

// Decide says what a chain has to do for its templates. One that does not bring them along has
// nothing to do; an original that is not valid is not handed on.
func Decide(c Chain, saw Observed) []Operation {
	if !brings(c, saw.Home) {
		return nil
	}
	var plan []Operation
	for _, t := range saw.Templates {
		switch {
		case t.Exists && !t.Owned:
			plan = append(plan, Operation{Own, t.Name})
		case !t.Exists && t.Original != nil && t.Original.Valid:
			plan = append(plan, Operation{Create, t.Name})
		}
	}
	return plan
}
