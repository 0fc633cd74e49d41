package remote

import (
	"bytes"
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
	// usual is how many samples the series before had: on one grid the next one has as many.
	usual int
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
			if d.usual > 0 {
				s.Samples = make([]store.Sample, 0, d.usual)
			}
			err = d.array(func() error { return d.sample(&s) })
			d.usual = min(len(s.Samples), mostUsual)
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

// mostUsual bounds what is made ready for a series that may turn out to be short.
const mostUsual = 1024

// sample reads [time, "value"].
func (d *decoder) sample(into *store.Series) error {
	if s, ok := d.plain(); ok {
		into.Samples = append(into.Samples, s)
		return d.counted()
	}
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
	if err := d.counted(); err != nil {
		return err
	}
	return d.expect(']')
}

// counted counts a sample.
func (d *decoder) counted() error {
	d.samples++
	if d.at.Samples > 0 && d.samples > d.at.Samples {
		return fmt.Errorf("%w: the answer has more than %d samples", store.ErrTooMuch, d.at.Samples)
	}
	return nil
}

// plain takes a sample that is at hand as a whole, and written as servers write nearly all of theirs:
// [1716550800,"0.5"], without white space, and milliseconds at most. Of anything else it takes nothing.
func (d *decoder) plain() (out store.Sample, ok bool) {
	text, err := d.in.Peek(min(d.in.Buffered(), longestPlain))
	if err != nil || len(text) == 0 || text[0] != '[' {
		return out, false
	}
	at, n := plainTime(text[1:])
	rest := text[1+n:]
	if n == 0 || len(rest) < 2 || rest[0] != ',' || rest[1] != '"' {
		return out, false
	}
	rest = rest[2:]
	end := bytes.IndexByte(rest, '"')
	if end <= 0 || end+1 >= len(rest) || rest[end+1] != ']' {
		return out, false
	}
	// What is no number, or one that is too great, is for the long way.
	v, err := strconv.ParseFloat(string(rest[:end]), 64)
	if err != nil {
		return out, false
	}
	if _, err := d.in.Discard(len(text) - len(rest) + end + 2); err != nil {
		return out, false // it was at hand
	}
	return store.Sample{At: at, Value: v}, true
}

// longestPlain is more than a plain sample takes.
const longestPlain = 64

// plainTime reads seconds, up to the year 5138, with three digits of a fraction at most, and says how many
// bytes that took; 0 where it is another kind of number.
func plainTime(text []byte) (ms int64, n int) {
	for n < len(text) && n < 11 && text[n] >= '0' && text[n] <= '9' {
		ms = 10*ms + int64(text[n]-'0')
		n++
	}
	if n == 0 || n > 1 && text[0] == '0' {
		return 0, 0
	}
	ms *= 1000
	if n == len(text) || text[n] != '.' {
		return ms, n
	}
	n++
	unit := int64(100)
	for ; n < len(text) && unit > 0 && text[n] >= '0' && text[n] <= '9'; n++ {
		ms += unit * int64(text[n]-'0')
		unit /= 10
	}
	if unit == 100 {
		return 0, 0
	}
	return ms, n
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
