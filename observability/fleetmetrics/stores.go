package fleetmetrics

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// vocabulary is the metrics by which a store tells of itself: sums of them are what it has on its disk and
// what it did not take, and free is what the disk still has for it.
type vocabulary struct{ used, refused, free, reserved []string }

// words are those of the stores that a plane runs.
func words() map[string]vocabulary {
	return map[string]vocabulary{
		"victoria-metrics": {
			used: []string{"vm_data_size_bytes"}, refused: []string{"vm_rows_ignored_total", "vm_rows_invalid_total"},
			free: []string{"vm_free_disk_space_bytes"}, reserved: []string{"vm_free_disk_space_limit_bytes"},
		},
		"portico-store": {
			used:    []string{"portico_store_database_bytes", "portico_store_journal_bytes"},
			refused: []string{"portico_store_rejected_total", "portico_store_write_requests_refused_total"},
		},
	}
}

// mostText is how much of what a store tells is read.
const mostText = 16 << 20

// StoreOf reads what a store of that name says of itself, in Prometheus' text format. What it does not
// tell is negative; a store that is not known tells nothing.
func StoreOf(region, name string, text io.Reader) (Store, error) {
	s := Store{Region: region, Name: name, Used: -1, Limit: -1, Refused: -1}
	of := words()[name]
	sums, err := summed(text, slices.Concat(of.used, of.refused, of.free, of.reserved))
	if err != nil {
		return s, fmt.Errorf("reading the metrics of the store %s: %w", name, err)
	}
	s.Used, s.Refused = total(sums, of.used), total(sums, of.refused)
	if free := total(sums, of.free); free >= 0 && s.Used >= 0 {
		s.Limit = s.Used + max(0, free-max(0, total(sums, of.reserved)))
	}
	return s, nil
}

// summed adds up the series of each of the metrics. Lines of others are not looked at: nothing that a store
// says of those can do harm. (The parser of Prometheus' own clients is not for texts that are none.)
func summed(text io.Reader, metrics []string) (map[string]float64, error) {
	sums := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(text, mostText))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		name := line[:len(line)-len(strings.TrimLeft(line, nameLetters))]
		if !slices.Contains(metrics, name) {
			continue
		}
		rest := line[len(name):]
		// A value of a label may hold anything, a brace too; a number and a time hold none.
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if len(fields) == 0 {
			return nil, fmt.Errorf("%s has no value", name)
		}
		value, err := strconv.ParseFloat(fields[0], 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
			return nil, fmt.Errorf("%s is %q, expected a number that is not negative", name, fields[0])
		}
		sums[name] += value
	}
	return sums, lines.Err()
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"

// total adds the metrics that are there; it is negative where there are none.
func total(sums map[string]float64, names []string) float64 {
	out, known := 0.0, false
	for _, name := range names {
		value, is := sums[name]
		out, known = out+value, known || is
	}
	if !known {
		return -1
	}
	return out
}
