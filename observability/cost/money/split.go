package money

import "math"

// Weighted splits a whole in proportion to weights, none of which is negative. The parts add up
// to the whole exactly, and each is within a billionth of its share. Where all weights are zero
// there is nobody to split among, and the answer is nil.
//
// Part i is what lies between the rounded ends of the running sums: rounding errors do not pile
// up, and no part depends on the order of a map.
func Weighted(whole Amount, weights []float64) []Amount {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	if total <= 0 {
		return nil
	}
	parts := make([]Amount, len(weights))
	sum, last := 0.0, Amount(0)
	for i, w := range weights {
		sum += w
		end := min(Amount(math.Round(float64(whole)*(sum/total))), whole)
		parts[i], last = end-last, end
	}
	// A whole of more than 53 bits is not a float exactly: what is missing goes to the heaviest.
	if last != whole {
		parts[heaviest(weights)] += whole - last
	}
	return parts
}

// Even splits a whole into n parts that differ by a billionth at most.
func Even(whole Amount, n int) []Amount {
	parts := make([]Amount, n)
	for i := range parts {
		parts[i] = whole / Amount(n)
		if Amount(i) < whole%Amount(n) {
			parts[i]++
		}
	}
	return parts
}

func heaviest(weights []float64) int {
	best := 0
	for i, w := range weights {
		if w > weights[best] {
			best = i
		}
	}
	return best
}
