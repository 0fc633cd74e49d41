package judge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/store"
)

// Status is what is to be said of a budget after a round. It is the old one, whole, where nothing
// moved that anybody would want to know.
func Status(b *costv1.Budget, v Verdict, saw Observed, of store.Tenant) costv1.BudgetStatus {
	now := metav1.NewTime(saw.Now.Truncate(time.Second))
	next := metav1.NewTime(following(saw.Now, v.Reason == costv1.NoTelemetryReason).Truncate(time.Second))
	s := costv1.BudgetStatus{ObservedGeneration: b.Generation, Tenant: string(of), Prices: saw.Prices, Judged: &now, Next: &next}
	facts := []metav1.Condition{control.Bool(costv1.ReadyCondition, v.Reason == costv1.JudgedReason, v.Reason, v.Message)}
	if v.Reason == costv1.JudgedReason {
		figures(&s, v.Judgement)
		facts = append(facts, control.Bool(costv1.KeptCondition, v.Standing == budget.Within, string(v.Standing), v.Judgement.Message))
	} else if kept := control.Find(b.Status.Conditions, costv1.KeptCondition); v.Reason == costv1.NoTelemetryReason && kept != nil && b.Status.Month == saw.Now.Format(monthly) {
		// What was spent this month stays spent, and a threshold that was told stays told.
		recall(&s, b.Status)
		facts = append(facts, *kept)
	}
	s.Conditions = control.Fold(b.Status.Conditions, control.Stamp{Now: saw.Now, Generation: b.Generation}, facts...)
	if same(b.Status, s) {
		return b.Status
	}
	return s
}

// monthly is how a status writes a month.
const monthly = "2006-01"

// recall takes over the figures of a status.
func recall(s *costv1.BudgetStatus, was costv1.BudgetStatus) {
	s.Month, s.Currency, s.Limit, s.Spent, s.Percent = was.Month, was.Currency, was.Limit, was.Spent, was.Percent
	s.Forecast, s.Standing, s.Crossed, s.Judged = was.Forecast, was.Standing, was.Crossed, was.Judged
}

func figures(s *costv1.BudgetStatus, j budget.Judgement) {
	s.Month, s.Currency = j.Month.Start.UTC().Format(monthly), j.Budget.Currency
	s.Limit, s.Spent = j.Budget.Limit.String(), j.Spent.String()
	s.Percent = int32(min(j.Spent.Float()/j.Budget.Limit.Float()*100, 1_000_000))
	s.Forecast = &costv1.BudgetForecast{
		Total: j.Expected.Total.String(), Low: j.Expected.Low.String(), High: j.Expected.High.String(), Sureness: string(j.Expected.Sureness),
	}
	s.Standing = costv1.Standing(j.Standing)
	for _, t := range j.Crossed {
		s.Crossed = append(s.Crossed, int32(t))
	}
}

// same says whether two statuses tell the same: amounts may differ by less than a thousandth of the
// budget, and so may what is written of them.
func same(was, now costv1.BudgetStatus) bool {
	return was.ObservedGeneration == now.ObservedGeneration && was.Month == now.Month && was.Tenant == now.Tenant && was.Currency == now.Currency &&
		was.Limit == now.Limit && was.Percent == now.Percent && was.Standing == now.Standing && was.Prices == now.Prices &&
		slices.Equal(was.Crossed, now.Crossed) && slices.EqualFunc(was.Conditions, now.Conditions, alike) &&
		close(was.Spent, now.Spent, now.Limit) && closeForecast(was.Forecast, now.Forecast, now.Limit)
}

// alike leaves the message of what could be judged aside: it has the amounts in it.
func alike(a, b metav1.Condition) bool {
	said := a.Message == b.Message || b.Type == costv1.KeptCondition || b.Reason == costv1.JudgedReason
	return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.ObservedGeneration == b.ObservedGeneration && said
}

func closeForecast(a, b *costv1.BudgetForecast, limit string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Sureness == b.Sureness && close(a.Total, b.Total, limit) && close(a.Low, b.Low, limit) && close(a.High, b.High, limit)
}

func close(a, b, limit string) bool {
	if a == b {
		return true
	}
	of := number(limit) / 1000
	diff := number(a) - number(b)
	return diff < of && -diff < of
}

// number is an amount of a status; 0 for none.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// Judgement is what a status says, as it was judged; its owner tells whose alerts it is. A budget
// that is not judged has the standing budget.Unjudged.
func Judgement(b *costv1.Budget, home string) (j budget.Judgement, of store.Tenant) {
	j.Budget, _ = Of(b, home) // a wrong one is not judged, and says why
	j.Budget.Name = b.Namespace + "/" + b.Name
	j.Budget.Currency = b.Status.Currency
	ready := control.Find(b.Status.Conditions, costv1.ReadyCondition)
	switch {
	case ready == nil:
		j.Message = "it is not judged yet"
	default:
		j.Message = ready.Message
	}
	j.Standing = budget.Unjudged
	of = store.Tenant(b.Status.Tenant)
	if of == "" {
		of = store.Plane
	}
	month, err := time.Parse(monthly, b.Status.Month)
	if err != nil || b.Status.Forecast == nil || ready == nil || ready.Status != metav1.ConditionTrue {
		return j, of
	}
	j.Month.Start, j.Month.End = month, month.AddDate(0, 1, 0)
	j.Standing, j.Budget.Limit, j.Spent = budget.Standing(b.Status.Standing), amount(b.Status.Limit), amount(b.Status.Spent)
	f := b.Status.Forecast
	j.Expected = budget.Forecast{
		Month: j.Month, Total: amount(f.Total), Spent: j.Spent, Low: amount(f.Low), High: amount(f.High), Sureness: budget.Sureness(f.Sureness),
	}
	for _, t := range b.Status.Crossed {
		j.Crossed = append(j.Crossed, int(t))
	}
	return j, of
}

func amount(text string) money.Amount {
	a, _ := money.ParseAmount(text) // what we have written
	return a
}

// Event is something worth telling once.
type Event struct {
	// Warns says that somebody should look.
	Warns           bool
	Reason, Message string
}

// eventsOf are what is worth telling about a change of status: the thresholds that were crossed in this
// month, in one event since several of one reason would be folded, and that the amount is exceeded or
// probably will be.
func eventsOf(was, now costv1.BudgetStatus, message string) []Event {
	var out []Event
	var crossed []string
	fresh := was.Month != now.Month
	for _, t := range now.Crossed {
		if fresh || !slices.Contains(was.Crossed, t) {
			crossed = append(crossed, fmt.Sprintf("%d %%", t))
		}
	}
	if len(crossed) > 0 {
		out = append(out, Event{Warns: true, Reason: "BudgetThresholdCrossed", Message: fmt.Sprintf(
			"%d %% of %s %s are spent in %s, past the threshold of %s", now.Percent, now.Limit, now.Currency, now.Month, strings.Join(crossed, ", "))})
	}
	if was.Standing == now.Standing && !fresh {
		return out
	}
	switch now.Standing {
	case costv1.Exceeded:
		out = append(out, Event{true, "BudgetExceeded", message})
	case costv1.AtRisk:
		out = append(out, Event{true, "BudgetAtRisk", message})
	case costv1.Within:
		if was.Standing != "" && !fresh {
			out = append(out, Event{false, "BudgetKept", message})
		}
	}
	return out
}
