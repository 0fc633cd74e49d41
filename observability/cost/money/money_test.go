package money_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]money.Rate{
		"0": 0, "1": 1e12, "0.031611": 31_611_000_000, "0.00005479452": 54_794_520, " 2.5 ": 25e11, "5.4e-05": 54_000_000,
		"0.0000000000004": 0, "0.0000000000005": 1, ".5": 5e11, "1000000": 1e18,
	} {
		if got, err := money.ParseRate(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "-1", "-0.0001", "NaN", "Inf", "0x10", "1/3", "1_000", "1,5", "1000000.1", "1e99", "1e999999999", ".", "free", strings.Repeat("9", 100)} {
		if got, err := money.ParseRate(text); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q: got %d, %v, want an error of kind invalid", text, got, err)
		}
	}
}

func TestString(t *testing.T) {
	for a, want := range map[money.Amount]string{0: "0.00", 5_000_000: "0.01", 4_999_999: "0.00", 12_345_678_901: "12.35", -1_500_000_000: "-1.50"} {
		if got := a.String(); got != want {
			t.Errorf("%d: got %s, want %s", int64(a), got, want)
		}
	}
}

// 730 hours of the hourly price are the monthly one, within what a rate can hold.
func TestMonthly(t *testing.T) {
	if got := money.Rate(73e12).Monthly(); got != 1e11 {
		t.Errorf("got %d, want 0.1 an hour", got)
	}
}

func TestSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		weights := make([]float64, 1+r.IntN(20))
		total := 0.0
		for i := range weights {
			if r.IntN(3) > 0 {
				weights[i] = r.ExpFloat64() * 1e9
			}
			total += weights[i]
		}
		whole := money.Amount(r.Int64N(int64(money.Most)) >> r.IntN(60))
		parts := money.Weighted(whole, weights)
		if total == 0 {
			if parts != nil {
				t.Fatalf("without weights: %v", parts)
			}
			continue
		}
		var sum money.Amount
		for i, p := range parts {
			sum += p
			share := float64(whole) * weights[i] / total
			if d := float64(p) - share; p < 0 || d > 2+share*1e-9 || d < -2-share*1e-9 {
				t.Fatalf("part %d of %d is %d, its share %v", i, whole, p, share)
			}
		}
		if sum != whole {
			t.Fatalf("parts add up to %d of %d", sum, whole)
		}
		sum = 0
		for _, p := range money.Even(whole, len(weights)) {
			sum += p
		}
		if sum != whole {
			t.Fatalf("even parts add up to %d of %d", sum, whole)
		}
	}
}
