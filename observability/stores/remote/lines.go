package remote

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"portico.dev/portico/observability/store"
)

// Lines reads series as VictoriaMetrics exports and imports them: an object on each line, with the
// labels, the values, and the times in milliseconds. Pieces of one series become one.
func Lines(r io.Reader, at store.Limits) ([]store.Series, error) {
	d := newDecoder(r, at)
	var out []store.Series
	known := map[uint64]int{}
	for {
		if _, err := d.next(); errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		s, err := d.line()
		if err != nil {
			return nil, fmt.Errorf("reading exported series: %w", err)
		}
		hash := s.Labels.Hash()
		if i, again := known[hash]; again {
			out[i].Samples = append(out[i].Samples, s.Samples...)
			continue
		}
		known[hash] = len(out)
		out = append(out, s)
		if err := d.bounded(len(out)); err != nil {
			return nil, err
		}
	}
	for i := range out {
		out[i].Samples = inOrder(out[i].Samples)
	}
	return out, nil
}

// inOrder sorts samples by time; of two at one time the later one in the export stays.
func inOrder(samples []store.Sample) []store.Sample {
	byTime := func(a, b store.Sample) int { return int(min(1, max(-1, a.At-b.At))) }
	if !slices.IsSortedFunc(samples, byTime) {
		slices.SortStableFunc(samples, byTime)
	}
	kept := samples[:0]
	for _, s := range samples {
		if len(kept) > 0 && kept[len(kept)-1].At == s.At {
			kept = kept[:len(kept)-1]
		}
		kept = append(kept, s)
	}
	return kept
}

func (d *decoder) line() (store.Series, error) {
	var s store.Series
	var values []float64
	var times []int64
	err := d.object(func(key string) (err error) {
		switch key {
		case "metric":
			s.Labels, err = d.labels()
		case "values":
			err = d.array(func() error {
				v, err := d.exported()
				values = append(values, v)
				return err
			})
		case "timestamps":
			err = d.array(func() error {
				text, err := d.number()
				if err != nil {
					return err
				}
				t, err := strconv.ParseInt(string(text), 10, 64)
				times = append(times, t)
				return err
			})
		default:
			err = d.skip()
		}
		if err == nil && d.at.Samples > 0 && d.samples+max(len(values), len(times)) > d.at.Samples {
			return fmt.Errorf("%w: it reads more than %d samples", store.ErrTooMuch, d.at.Samples)
		}
		return err
	})
	if err != nil {
		return s, err
	}
	if len(values) != len(times) {
		return s, fmt.Errorf("a series has %d values and %d times", len(values), len(times))
	}
	d.samples += len(values)
	s.Samples = make([]store.Sample, len(values))
	for i, v := range values {
		s.Samples[i] = store.Sample{At: times[i], Value: v}
	}
	return s, nil
}

// exported reads a value of an export: a number, "Infinity" and its like in a string, or null.
func (d *decoder) exported() (float64, error) {
	b, err := d.next()
	if err != nil {
		return 0, err
	}
	switch b {
	case '"':
		return d.value()
	case 'n':
		_, err := d.word()
		return math.NaN(), err
	}
	text, err := d.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, err
	}
	return v, nil
}
