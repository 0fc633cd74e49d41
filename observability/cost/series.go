package cost

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"portico.dev/portico/observability/cost/window"
)

// Series is a quantity over time, on a grid: Values[i] holds from Start+i*Every until one Every
// later, in milliseconds. NaN is what nobody knows. The zero Series is not known at any time.
type Series struct {
	Start, Every int64
	Values       []float64
}

// Always is a quantity that does not change.
func Always(value float64) Series { return Series{Values: []float64{value}} }

// Known says that the quantity is known at some time.
func (s Series) Known() bool { return len(s.Values) > 0 }

// Sample is a quantity that somebody saw at a time, in milliseconds since 1970.
type Sample struct {
	At    int64
	Value float64
}

// Disorder says what was wrong with samples.
type Disorder struct {
	// Late came after a newer one, Double has the time of another one, Strange is outside of the
	// window or not a number that a quantity can be: those do not count.
	Late, Double, Strange int
}

// Add sums up.
func (d *Disorder) Add(o Disorder) {
	d.Late, d.Double, d.Strange = d.Late+o.Late, d.Double+o.Double, d.Strange+o.Strange
}

// String is the sentence about it; empty where nothing was wrong.
func (d Disorder) String() string {
	if d == (Disorder{}) {
		return ""
	}
	return fmt.Sprintf("of the samples, %d were out of order, %d had the time of another one, and %d were outside of the window or no quantity",
		d.Late, d.Double, d.Strange)
}

// FromSamples puts samples on a grid over the window: a cell is the mean of its samples, and
// unknown where there are none. They may come in any order: clocks differ, and so do the ways to
// the store. Of two with one time the later in the list counts.
func FromSamples(samples []Sample, over window.Window, every time.Duration) (Series, Disorder) {
	s := Series{Start: over.Start.UnixMilli(), Every: max(every.Milliseconds(), 1)}
	length := over.End.UnixMilli() - s.Start
	s.Values = make([]float64, max((length+s.Every-1)/s.Every, 0))
	counts := make([]int, len(s.Values))
	var wrong Disorder
	kept := make([]Sample, 0, len(samples))
	newest := int64(math.MinInt64)
	for _, p := range samples {
		if !(p.Value >= 0) || math.IsInf(p.Value, 0) || p.At < s.Start || p.At >= s.Start+length {
			wrong.Strange++
			continue
		}
		if p.At < newest {
			wrong.Late++
		}
		newest = max(newest, p.At)
		kept = append(kept, p)
	}
	slices.SortStableFunc(kept, func(a, b Sample) int { return cmp.Compare(a.At, b.At) })
	for i, p := range kept {
		if i+1 < len(kept) && kept[i+1].At == p.At {
			wrong.Double++
			continue
		}
		cell := (p.At - s.Start) / s.Every
		s.Values[cell] += p.Value
		counts[cell]++
	}
	for i, n := range counts {
		s.Values[i] /= float64(n)
		if n == 0 {
			s.Values[i] = math.NaN()
		}
	}
	return s, wrong
}

const never = math.MaxInt64

// cursor walks a series forward.
type cursor struct {
	s     Series
	cell  int
	value float64
	// until is where the value ends.
	until int64
}

// from is a cursor at a time.
func (s Series) from(at int64) cursor {
	c := cursor{s: s, value: math.NaN(), until: never}
	switch {
	case len(s.Values) == 0:
	case s.Every <= 0:
		c.value = quantityOf(s.Values[0])
	case at < s.Start:
		c.cell, c.until = -1, s.Start
	default:
		c.cell = int((at-s.Start)/s.Every) - 1
		c.next()
	}
	return c
}

func (c *cursor) next() {
	c.cell++
	if c.cell >= len(c.s.Values) {
		c.value, c.until = math.NaN(), never
		return
	}
	c.value, c.until = quantityOf(c.s.Values[c.cell]), c.s.Start+int64(c.cell+1)*c.s.Every
}

// quantityOf takes what cannot be a quantity for unknown.
func quantityOf(v float64) float64 {
	if v >= 0 && v <= math.MaxFloat64 {
		return v
	}
	return math.NaN()
}

const hour = float64(time.Hour / time.Millisecond)

// quantity is a series over a span: what was summed up, and for how long it was known; in hours.
type quantity struct{ sum, known float64 }

// over sums a series up. Where it is unknown within its span, it is taken to be as it is at
// other times: a node does not shrink because nobody looked.
func (s Series) over(from, to int64) quantity {
	var q quantity
	c := s.from(from)
	for at := from; at < to; {
		end := min(c.until, to)
		if c.value == c.value {
			span := float64(end - at)
			q.sum += c.value * span
			q.known += span
		}
		at = end
		if at == c.until {
			c.next()
		}
	}
	if q.known > 0 {
		q.sum *= float64(to-from) / q.known
	}
	return quantity{q.sum / hour, q.known / hour}
}

// use is what a pod requested, used and took of a resource over a span: in the resource's unit
// times hours.
type use struct{ request, usage, taken, known float64 }

// take sums up request and usage. What was taken at a time is the greater of the two; a request
// that is not known at a time is what it last was; a usage that is not known counts for nothing,
// and known is less for it.
func take(request, usage Series, from, to int64) use {
	var u use
	r, c := request.from(from), usage.from(from)
	asked := 0.0
	for at := from; at < to; {
		if r.value == r.value {
			asked = r.value
		}
		end := min(r.until, c.until, to)
		span := float64(end - at)
		taken := asked
		if c.value == c.value {
			u.usage += c.value * span
			u.known += span
			taken = max(asked, c.value)
		}
		u.request += asked * span
		u.taken += taken * span
		at = end
		if at == r.until {
			r.next()
		}
		if at == c.until {
			c.next()
		}
	}
	return use{u.request / hour, u.usage / hour, u.taken / hour, u.known / hour}
}
