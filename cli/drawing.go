package cli

import (
	"math"
	"strings"
)

// sparks are the heights of a sparkline, the lowest first.
var sparks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values in at most width letters: each is the mean of those that it stands for. A
// value that is missing, which is NaN, leaves a gap.
func sparkline(values []float64, width int) string {
	values = shrink(values, width)
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case !finite(v):
			b.WriteByte(' ')
		case high == low:
			b.WriteRune(sparks[len(sparks)/2])
		default:
			// The difference itself may be too large for a number.
			b.WriteRune(sparks[int(math.Round((v/2-low/2)/(high/2-low/2)*float64(len(sparks)-1)))])
		}
	}
	return b.String()
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// shrink makes at most width values out of many.
func shrink(values []float64, width int) []float64 {
	if len(values) <= width || width < 1 {
		return values
	}
	out := make([]float64, width)
	for i := range out {
		sum, n := 0.0, 0
		for _, v := range values[i*len(values)/width : (i+1)*len(values)/width] {
			if finite(v) {
				sum, n = sum+v, n+1
			}
		}
		out[i] = math.NaN()
		if n > 0 {
			out[i] = sum / float64(n)
		}
	}
	return out
}

// bar draws a part of a whole in at most width letters; what is there at all can be seen.
func bar(part, whole float64, width int) string {
	if !(part > 0 && whole > 0) || math.IsInf(part, 0) {
		return ""
	}
	eighths := max(int(math.Round(min(part/whole, 1)*float64(width*8))), 1)
	last := []rune(" ▏▎▍▌▋▊▉")[eighths%8]
	return strings.TrimSpace(strings.Repeat("█", eighths/8) + string(last))
}
