package lists

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/price"
)

// Observed is all that a pass looks at.
type Observed struct {
	Lists []costv1.PriceList `json:"lists"`
	// Texts are what the keys of ConfigMaps hold, by name/key; a missing one is not there.
	Texts map[string]string `json:"texts,omitempty"`
}

// Plan is what the lists make together.
type Plan struct {
	Terms cost.Terms
	// Digest tells one set of terms from another.
	Digest string
	// Verdicts are in the order in which lists are asked.
	Verdicts []Verdict
}

// Verdict is what is to be said of a list. Reason is costv1.InForceReason for one that counts.
type Verdict struct {
	Name, Reason, Message string
	Prices                int
	Digest                string
}

// read is a list that may count.
type read struct {
	price.List
	spec    *costv1.PriceListSpec
	verdict *Verdict
}

// Decide says which lists count.
func Decide(saw Observed) Plan {
	lists := slices.Clone(saw.Lists)
	slices.SortFunc(lists, func(a, b costv1.PriceList) int {
		return cmp.Or(-cmp.Compare(a.Spec.Priority, b.Spec.Priority), cmp.Compare(a.Name, b.Name))
	})
	p := Plan{Verdicts: make([]Verdict, 0, len(lists))}
	var good []read
	for i := range lists {
		l := &lists[i]
		p.Verdicts = append(p.Verdicts, Verdict{Name: l.Name})
		v := &p.Verdicts[i]
		text, problem := saw.text(l.Spec)
		if problem != "" {
			v.Reason, v.Message = costv1.SourceMissingReason, problem
			continue
		}
		prices, errs := Read(l.Name, l.Spec, text)
		if len(errs) > 0 {
			v.Reason, v.Message = costv1.InvalidReason, bounded(errs)
			continue
		}
		good = append(good, read{prices, &l.Spec, v})
	}
	p.use(good)
	for _, v := range p.Verdicts {
		if v.Reason != costv1.InForceReason {
			p.Terms.Notes = append(p.Terms.Notes, fmt.Sprintf("price list %q does not count: %s", v.Name, v.Reason))
		}
	}
	p.Digest = digest(p.Terms)
	return p
}

// use takes the lists that are in the currency of the first one that has defaults for everything.
func (p *Plan) use(good []read) {
	currency, of := price.OnPremises().Currency, "no list has defaults for everything, so that the rest is in"
	for _, l := range good {
		if l.Defaults != nil && l.For == (price.Scope{}) {
			currency, of = l.Currency, fmt.Sprintf("the defaults for everything, of list %q, are in", l.Name)
			break
		}
	}
	shared := ""
	for _, l := range good {
		v := l.verdict
		v.Prices, v.Digest = len(l.Nodes)+len(l.Volumes)+len(l.GPUs), digest(l.List)
		if l.Currency != currency {
			v.Reason = costv1.CurrencyReason
			v.Message = fmt.Sprintf("its prices are in %s, and %s %s: nothing converts them; write all lists in one currency, with defaults and without for in one of them", l.Currency, of, currency)
			continue
		}
		v.Reason, v.Message = costv1.InForceReason, "its prices count"
		p.Terms.Book.Lists = append(p.Terms.Book.Lists, l.List)
		switch {
		case l.spec.Shares == nil:
		case shared != "":
			v.Message += fmt.Sprintf("; its shares do not, since those of list %q go before them", shared)
		default:
			shared = l.Name
			p.Terms.Shares, _ = shares(*l.spec.Shares, nil) // Read has found nothing wrong with them
			if l.spec.Shares.Idle == costv1.IdleShared {
				p.Terms.Idle = cost.IdleShared
			}
		}
	}
}

// text is what the source of a spec holds, or what is wrong with it.
func (o Observed) text(s costv1.PriceListSpec) (text, problem string) {
	if s.Source == nil {
		return "", ""
	}
	at := s.Source.ConfigMap
	text, there := o.Texts[at.Name+"/"+at.Key]
	if !there {
		return "", fmt.Sprintf("spec.source.configMap: ConfigMap %s does not exist in the system namespace, or has no key %s: create it, or name another", at.Name, at.Key)
	}
	return text, ""
}

// mostSaid bounds how many mistakes a condition tells.
const mostSaid = 5

func bounded(errs field.ErrorList) string {
	var said []string
	for _, e := range errs[:min(len(errs), mostSaid)] {
		said = append(said, e.Field+": "+e.Detail)
	}
	if more := len(errs) - mostSaid; more > 0 {
		said = append(said, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(said, "; ")
}

// digest tells prices from others. What it is made of can always be written.
func digest(of any) string {
	content, _ := json.Marshal(of)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}
