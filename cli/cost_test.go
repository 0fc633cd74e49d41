package cli

import "testing"

func TestPlacesOf(t *testing.T) {
	for _, tc := range []struct {
		why  string
		sum  float64
		want int
	}{
		{"Money as people write it.", 12.3, 2},
		{"One is not little.", 1, 2},
		{"An hour of a small cluster.", 0.5, 3},
		{"A minute of it.", 0.004, 5},
		{"There is an end.", 1e-12, 6},
		{"Nothing needs no more.", 0, 2},
	} {
		if got := placesOf(tc.sum); got != tc.want {
			t.Errorf("%s placesOf(%v) = %d, want %d", tc.why, tc.sum, got, tc.want)
		}
	}
}
