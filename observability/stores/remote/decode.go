package remote

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/store"
)

// reply is the envelope of every answer of the API.
type reply struct {
	status, kind, message string
	warnings              []string
	answer                store.Answer
	strings               []string
	sets                  []labels.Labels
}

// decoder reads an envelope with one form of data in it.
type decoder struct {
	*scanner
	at      store.Limits
	samples int
	build   labels.ScratchBuilder
	names   map[string]string
	out     reply
}

func newDecoder(r io.Reader, at store.Limits) *decoder {
	return &decoder{scanner: newScanner(r), at: at, build: labels.NewScratchBuilder(16), names: map[string]string{}}
}

// envelope reads the whole answer; data reads what is in the field of that name.
func (d *decoder) envelope(data func() error) (reply, error) {
	err := d.object(func(key string) (err error) {
		switch key {
		case "status":
			d.out.status, err = d.string()
		case "errorType":
			d.out.kind, err = d.string()
		case "error":
			d.out.message, err = d.string()
		case "warnings", "infos":
			var list []string
			list, err = d.strings()
			d.out.warnings = append(d.out.warnings, list...)
		case "data":
			err = d.orNull(data)
		default:
			err = d.skip()
		}
		return err
	})
	return d.out, err
}

// orNull reads data, which some servers write as null when they have none.
func (d *decoder) orNull(read func() error) error {
	b, err := d.next()
	if err != nil {
		return err
	}
	if b == 'n' {
		_, err = d.word()
		return err
	}
	return read()
}

func (d *decoder) strings() ([]string, error) {
	var out []string
	err := d.orNull(func() error {
		return d.array(func() error {
			s, err := d.string()
			out = append(out, s)
			return err
		})
	})
	return out, err
}

// listed reads data that is a list of strings.
func (d *decoder) listed() (err error) {
	d.out.strings, err = d.strings()
	return err
}

// labelSets reads data that is a list of label sets.
func (d *decoder) labelSets() error {
	return d.array(func() error {
		set, err := d.labels()
		d.out.sets = append(d.out.sets, set)
		if err == nil {
			err = d.bounded(len(d.out.sets))
		}
		return err
	})
}

// result reads data that is the result of an expression. Its type comes before its values in
// every server's answer, but nothing says that it has to: what there is says what it is.
func (d *decoder) result() error {
	return d.object(func(key string) error {
		if key != "result" {
			return d.skip()
		}
		scalar := store.Series{}
		err := d.array(func() error {
			b, err := d.next()
			if err != nil {
				return err
			}
			if b == '{' {
				return d.series()
			}
			return d.scalar(&scalar)
		})
		if err == nil && len(scalar.Samples) > 0 {
			d.out.answer.Series = append(d.out.answer.Series, scalar)
		}
		return err
	})
}

// scalar reads one half of a scalar, which is a list of a time and a value.
func (d *decoder) scalar(into *store.Series) error {
	if len(into.Samples) == 0 {
		at, err := d.time()
		into.Samples = append(into.Samples, store.Sample{At: at})
		return err
	}
	v, err := d.value()
	into.Samples[0].Value = v
	return err
}

func (d *decoder) series() error {
	var s store.Series
	err := d.object(func(key string) (err error) {
		switch key {
		case "metric":
			s.Labels, err = d.labels()
		case "value":
			err = d.sample(&s)
		case "values":
			err = d.array(func() error { return d.sample(&s) })
		default:
			err = d.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	// A series of histograms alone has no samples that we could show.
	if len(s.Samples) > 0 {
		d.out.answer.Series = append(d.out.answer.Series, s)
	}
	return d.bounded(len(d.out.answer.Series))
}

// sample reads [time, "value"].
func (d *decoder) sample(into *store.Series) error {
	if err := d.expect('['); err != nil {
		return err
	}
	at, err := d.time()
	if err != nil {
		return err
	}
	if err := d.expect(','); err != nil {
		return err
	}
	v, err := d.value()
	if err != nil {
		return err
	}
	into.Samples = append(into.Samples, store.Sample{At: at, Value: v})
	d.samples++
	if d.at.Samples > 0 && d.samples > d.at.Samples {
		return fmt.Errorf("%w: the answer has more than %d samples", store.ErrTooMuch, d.at.Samples)
	}
	return d.expect(']')
}

func (d *decoder) bounded(series int) error {
	if d.at.Series > 0 && series > d.at.Series {
		return fmt.Errorf("%w: the answer has more than %d series", store.ErrTooMuch, d.at.Series)
	}
	return nil
}

// time reads seconds with a fraction.
func (d *decoder) time() (int64, error) {
	text, err := d.number()
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(seconds) > math.MaxInt64/1e4 {
		return 0, fmt.Errorf("the time %q is not one in seconds", text)
	}
	return int64(math.Round(seconds * 1000)), nil
}

// value reads a number in a string, as Prometheus writes them.
func (d *decoder) value() (float64, error) {
	text, err := d.bytes()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, fmt.Errorf("the value %q is not a number", text)
	}
	return v, nil
}

// labels reads a label set. Names and values of labels come again and again: each is kept once.
func (d *decoder) labels() (labels.Labels, error) {
	d.build.Reset()
	err := d.object(func(key string) error {
		v, err := d.bytes()
		if err != nil {
			return err
		}
		if len(v) > 0 {
			d.build.Add(d.once([]byte(key)), d.once(v))
		}
		return nil
	})
	if err != nil {
		return labels.EmptyLabels(), err
	}
	d.build.Sort()
	out := d.build.Labels()
	if _, twice := out.HasDuplicateLabelNames(); twice {
		// VictoriaMetrics' absent() does it where a selector has two matchers of one label.
		// Prometheus' leaves such a label away.
		count := map[string]int{}
		out.Range(func(l labels.Label) { count[l.Name]++ })
		d.build.Reset()
		out.Range(func(l labels.Label) {
			if count[l.Name] == 1 {
				d.build.Add(l.Name, l.Value)
			}
		})
		out = d.build.Labels()
	}
	return out, nil
}

func (d *decoder) once(word []byte) string {
	if known, ok := d.names[string(word)]; ok {
		return known
	}
	s := string(word)
	d.names[s] = s
	return s
}
