package budget

import (
	"fmt"
	"math"
	"slices"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
)

// Day is what a day cost. Hours is less than 24 for one that is not over, or not known whole.
type Day struct {
	Start time.Time
	Hours float64
	Cost  money.Amount
}

// Sureness is how much a forecast is worth.
type Sureness string

// The kinds of sureness.
const (
	// Guess has less than three whole days behind it: Low and High are half and twice the rate.
	Guess Sureness = "a guess of few days"
	// Rough has less than two weeks, and knows nothing of weekends.
	Rough Sureness = "rough, without weekdays"
	// Fair has two weeks or more, and knows weekdays.
	Fair Sureness = "fair, with weekdays"
	// Done says that the month is over.
	Done Sureness = "the month is over"
)

// Forecast is what a month will come to.
type Forecast struct {
	Month window.Window
	// Total is the whole month, Spent the part of it that is past.
	Total, Spent money.Amount
	// Low and High are where the total lies in four cases of five.
	Low, High money.Amount
	Sureness  Sureness
	// Days is how many whole days it is made of.
	Days   int
	Method string
}

const (
	// alpha is how much the newest day counts: with 0.3, half of the weight lies on the last two days.
	alpha = 0.3
	// wide is the quantile of the normal distribution between whose signs four cases of five lie.
	wide = 1.2816
	// seasonal is how many whole days it takes to know weekdays: two of each.
	seasonal = 14
	// whole is from how many hours on a day counts as known; clocks and gaps take some minutes.
	whole = 23.5
)

// Expect forecasts a month from the days that are known: those of the month up to now, and for
// weekdays also days before it.
//
// The method is simple exponential smoothing of the whole days (Hyndman and Athanasopoulos,
// Forecasting: Principles and Practice, 3rd edition, 8.1), from two weeks on divided by factors
// of the weekdays (classical multiplicative decomposition, 3.4). It knows no trend and no
// holidays: costs of clusters move in steps, which smoothing follows and a trend would overshoot.
// The interval is that of an ARIMA(0,1,1) (9.8): the sum of n further days has the variance
// s²·Σ(1+(n-j)·alpha)² for j = 1..n, s being the spread of the errors made so far. The error is
// of kind fleet.ErrInvalid.
func Expect(month window.Window, now time.Time, days []Day) (Forecast, error) {
	days = slices.Clone(days)
	slices.SortFunc(days, func(a, b Day) int { return a.Start.Compare(b.Start) })
	f := Forecast{Month: month, Method: "simple exponential smoothing"}
	var known []Day
	hours := 0.0
	for i, d := range days {
		if i > 0 && d.Start.Equal(days[i-1].Start) {
			return f, fmt.Errorf("%w: days: %s is there twice", fleet.ErrInvalid, d.Start.Format(time.DateOnly))
		}
		if d.Cost < 0 || !(d.Hours >= 0 && d.Hours <= 24) {
			return f, fmt.Errorf("%w: days: %s has %s in %v hours", fleet.ErrInvalid, d.Start.Format(time.DateOnly), d.Cost, d.Hours)
		}
		if !d.Start.Before(month.Start) && d.Start.Before(month.End) {
			f.Spent += d.Cost
		}
		hours += d.Hours
		if d.Hours >= whole {
			known = append(known, d)
		}
	}
	f.Days = len(known)
	f.Total, f.Low, f.High, f.Sureness = f.Spent, f.Spent, f.Spent, Done
	if !now.Before(month.End) {
		return f, nil
	}
	if hours == 0 {
		return f, fmt.Errorf("%w: days: expected at least a part of one day", fleet.ErrNotYet)
	}
	f.extend(now, known, days)
	return f, nil
}

// extend adds what is to come.
func (f *Forecast) extend(now time.Time, known, days []Day) {
	from := now
	if from.Before(f.Month.Start) {
		from = f.Month.Start
	}
	factors := weekdays(known)
	f.Sureness = Fair
	if factors == nil {
		f.Sureness = Rough
	} else {
		f.Method += " with factors of weekdays"
	}
	level, spread := smooth(known, factors)
	if len(known) < 3 {
		f.Sureness, level = Guess, rate(days)
	}
	var rest, n float64
	for at := from; at.Before(f.Month.End); {
		next := at.Truncate(window.Day).Add(window.Day)
		if next.After(f.Month.End) {
			next = f.Month.End
		}
		part := next.Sub(at).Hours() / 24
		rest += part * level * factor(factors, at)
		n += part
		at = next
	}
	low, high := rest/2, rest*2
	if f.Sureness != Guess {
		variance := 0.0
		for j := 1.0; j <= math.Ceil(n); j++ {
			variance += math.Pow(1+(n-min(j, n))*alpha, 2)
		}
		margin := wide * spread * math.Sqrt(variance)
		low, high = max(rest-margin, 0), rest+margin
	}
	f.Total, f.Low, f.High = f.Spent+amount(rest), f.Spent+amount(low), f.Spent+amount(high)
}

// rate is what a day costs on the mean of all that is known.
func rate(days []Day) float64 {
	var cost, hours float64
	for _, d := range days {
		cost, hours = cost+d.Cost.Float(), hours+d.Hours
	}
	return cost / hours * 24
}

// smooth is the level after the last day, and the spread of the errors on the way.
func smooth(known []Day, factors []float64) (level, spread float64) {
	var squares float64
	for i, d := range known {
		f := factor(factors, d.Start)
		value := daily(d)
		if i == 0 {
			level = value / f
			continue
		}
		miss := value - level*f
		squares += miss * miss
		level += alpha * miss / f
	}
	if len(known) < 2 {
		return level, 0
	}
	return level, math.Sqrt(squares / float64(len(known)-1))
}

// daily is what the day would have cost with all of its hours.
func daily(d Day) float64 { return d.Cost.Float() * 24 / d.Hours }

// weekdays are the factors from Sunday on; nil where too few days are known, or they cost nothing.
func weekdays(known []Day) []float64 {
	if len(known) < seasonal {
		return nil
	}
	factors := make([]float64, 7)
	counts := make([]float64, 7)
	sum := 0.0
	for _, d := range known {
		factors[d.Start.UTC().Weekday()] += daily(d)
		counts[d.Start.UTC().Weekday()]++
		sum += daily(d)
	}
	mean := sum / float64(len(known))
	if mean == 0 || slices.Min(counts) == 0 {
		return nil
	}
	for i := range factors {
		// A weekday on which nothing runs must not divide by zero.
		factors[i] = max(factors[i]/counts[i]/mean, 0.01)
	}
	return factors
}

func factor(factors []float64, at time.Time) float64 {
	if factors == nil {
		return 1
	}
	return factors[at.UTC().Weekday()]
}

func amount(units float64) money.Amount {
	return money.Amount(math.Round(min(units*float64(money.Unit), float64(2*money.Most))))
}
