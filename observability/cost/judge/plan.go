package judge

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// Rhythm of rounds.
const (
	// Every is how old figures become.
	Every = time.Hour
	// Least is how long a round waits after the one before, whoever writes how many budgets.
	Least = 30 * time.Second
	// Blind is when to look again where nothing is known of costs: a cluster that begins to send is told
	// by nobody.
	Blind = 5 * time.Minute
	// Learnt is how far back facts are read for the forecast, which knows weekdays after two weeks.
	Learnt = 28 * window.Day
)

// Observed is all that a pass looks at.
type Observed struct {
	Now     time.Time       `json:"now"`
	Budgets []costv1.Budget `json:"budgets"`
	// Tenants are those of the ClusterDeployments of each namespace in which there is a budget,
	// sorted.
	Tenants map[string][]store.Tenant `json:"tenants,omitempty"`
	// Prices is the digest of the prices in force, Currency theirs.
	Prices   string `json:"prices"`
	Currency string `json:"currency"`
}

// Round is what is remembered of the last one.
type Round struct {
	// At is when it was; zero for none since the start.
	At time.Time `json:"at,omitzero"`
	// Blind says that nothing was known of costs then.
	Blind bool `json:"blind,omitempty"`
	// Woken says that since then somebody told of news: of other prices, or that costs are known now.
	Woken bool `json:"woken,omitempty"`
}

// Decide says whether a round is due, and when to look again if nothing happens; zero for never.
func Decide(saw Observed, last Round) (due bool, again time.Time) {
	if len(saw.Budgets) == 0 {
		return false, time.Time{}
	}
	for i := range saw.Budgets {
		b := &saw.Budgets[i]
		next := following(last.At, last.Blind)
		if s := b.Status; s.Next != nil && s.Next.After(next) {
			next = s.Next.Time
		}
		if b.Status.ObservedGeneration != b.Generation || b.Status.Prices != saw.Prices || last.Woken {
			next = saw.Now
		}
		if again.IsZero() || next.Before(again) {
			again = next
		}
	}
	if earliest := last.At.Add(Least); !last.At.IsZero() && again.Before(earliest) {
		again = earliest
	}
	return !again.After(saw.Now), again
}

// following is when a round follows one, which may have been blind: with a new month, what was spent
// begins anew. It is zero for none.
func following(at time.Time, blind bool) time.Time {
	if at.IsZero() {
		return at
	}
	next := at.Add(Every)
	if blind {
		next = at.Add(Blind)
	}
	if end := window.Month(at).End; end.Before(next) {
		return end
	}
	return next
}

// Of is an object as what is judged. home is the system namespace. The error is of kind
// fleet.ErrInvalid.
func Of(b *costv1.Budget, home string) (budget.Budget, error) {
	limit, err := money.ParseAmount(b.Spec.Monthly.Digits)
	if err != nil {
		return budget.Budget{}, fmt.Errorf("spec.monthly: %w", err)
	}
	if limit == 0 {
		return budget.Budget{}, fmt.Errorf("%w: spec.monthly: expected more than 0", fleet.ErrInvalid)
	}
	f := b.Spec.For
	to := budget.Budget{Name: b.Name, Limit: limit, Currency: b.Spec.Currency, For: budget.Owner{Tenant: f.Tenant, Cluster: f.Cluster, Namespace: f.Namespace}}
	if f.Label != nil {
		to.For.Label, to.For.Value = f.Label.Name, f.Label.Value
	}
	if b.Namespace != home {
		to.For.Home = b.Namespace
	} else if namespace, name, found := strings.Cut(f.Cluster, "/"); found {
		to.For.Home, to.For.Cluster = namespace, name
	} else if f.Cluster != "" {
		to.For.Home = home
	}
	for _, t := range b.Spec.Thresholds {
		to.Thresholds = append(to.Thresholds, int(t))
	}
	slices.Sort(to.Thresholds)
	return to, nil
}

// tenantOf is who is told of a budget's alerts, and may read what metrics tell of it. A namespace may
// name a tenant of which it has a cluster; otherwise it could send alerts to whom it likes. What is no
// tenant's is the plane's own: clusters without a tenant read what is PLATFORM's.
func tenantOf(b *costv1.Budget, home string, there []store.Tenant) store.Tenant {
	named := store.Tenant(b.Spec.For.Tenant)
	switch {
	case named == store.Platform:
	case named != "" && (b.Namespace == home || slices.Contains(there, named)):
		return named
	case named == "" && b.Namespace != home && len(there) == 1 && there[0] != store.Platform:
		return there[0]
	}
	return store.Plane
}

// Verdict is what came of a round for a budget. Judgement counts if Reason is costv1.JudgedReason.
type Verdict struct {
	budget.Judgement
	Reason, Message string
}

// verdicts are those of a round. judge is asked once, for all that can be judged.
func verdicts(saw Observed, home string, judge func([]budget.Budget) ([]budget.Judgement, error)) (map[types.NamespacedName]Verdict, error) {
	out := map[types.NamespacedName]Verdict{}
	var wanted []budget.Budget
	var keys []types.NamespacedName
	for i := range saw.Budgets {
		b := &saw.Budgets[i]
		key := types.NamespacedName{Namespace: b.Namespace, Name: b.Name}
		of, err := Of(b, home)
		switch {
		case err != nil:
			out[key] = Verdict{Reason: costv1.InvalidReason, Message: fleet.Sentence(err)}
		case of.Currency != "" && of.Currency != saw.Currency:
			out[key] = Verdict{Reason: costv1.CurrencyReason, Message: fmt.Sprintf(
				"spec.currency is %s, and costs are in %s, as the price lists are: nothing converts them; write the amount in %s", of.Currency, saw.Currency, saw.Currency)}
		default:
			of.Currency = saw.Currency
			wanted, keys = append(wanted, of), append(keys, key)
		}
	}
	if len(wanted) == 0 {
		return out, nil
	}
	all, err := judge(wanted)
	reason := costv1.JudgedReason
	switch {
	case errors.Is(err, fleet.ErrNotYet):
		reason = costv1.NoTelemetryReason
	case errors.Is(err, fleet.ErrInvalid):
		reason = costv1.InvalidReason
	case err != nil:
		return nil, err
	}
	for i, key := range keys {
		if err != nil {
			out[key] = Verdict{Reason: reason, Message: fleet.Sentence(err)}
			continue
		}
		out[key] = Verdict{Judgement: all[i], Reason: reason, Message: all[i].Message}
	}
	return out, err
}

// byName is the order in which budgets are told.
func byName(a, b costv1.Budget) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
