package money

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"

	"portico.dev/portico/fleet"
)

// Amount is money, in billionths of the currency's unit.
type Amount int64

// Unit is one unit of the currency.
const Unit Amount = 1_000_000_000

// Most is the greatest amount that a question may come to: sums of fewer than a billion units
// stay far from the end of an int64.
const Most = 1_000_000_000 * Unit

// Float is the amount in units, for answers to programs that know no integers.
func (a Amount) Float() float64 { return float64(a) / float64(Unit) }

// String is the amount in units with two decimals, rounded half away from zero.
func (a Amount) String() string {
	cents := int64(math.Round(float64(a) / 1e7))
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

// Rate is the price of a unit of a resource: of a core for an hour, a GiB for an hour, a GiB sent.
// It counts trillionths of the currency's unit: the price of a GiB of storage for an hour needs them.
type Rate int64

const perUnit = 1_000_000_000_000

// highest bounds a price, since one that is written in cents by mistake is the common error.
const highest = 1_000_000

// Float is the rate in units of the currency.
func (r Rate) Float() float64 { return float64(r) / perUnit }

// Over is what a quantity costs, to the nearest billionth; at most twice of Most, which whoever
// adds up refuses.
func (r Rate) Over(quantity float64) Amount {
	return Amount(math.Round(min(float64(r)*quantity/1000, float64(2*Most))))
}

// Monthly is the rate for an hour of what costs r for a month of 730 hours, as OpenCost counts them.
func (r Rate) Monthly() Rate { return (r + 365) / 730 }

// ParseRate reads a price: a decimal number that is not negative. What is finer than a
// trillionth is rounded. The error is of kind fleet.ErrInvalid.
func ParseRate(text string) (Rate, error) {
	n, err := parse(text, perUnit, highest)
	return Rate(n), err
}

// ParseAmount reads an amount that is not negative, such as the limit of a budget. The error is
// of kind fleet.ErrInvalid.
func ParseAmount(text string) (Amount, error) {
	n, err := parse(text, int64(Unit), int64(Most/Unit))
	return Amount(n), err
}

// parse reads a decimal as a whole number of the parts of a unit.
func parse(text string, parts, highest int64) (int64, error) {
	wrong := func(expected string) (int64, error) {
		return 0, fmt.Errorf("%w: %q: expected %s", fleet.ErrInvalid, clip(text), expected)
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return wrong("a price, 0 for what is free")
	case !decimal.MatchString(trimmed):
		return wrong("a decimal number such as 0.0316")
	}
	value, ok := new(big.Rat).SetString(trimmed)
	switch {
	case !ok:
		return wrong("a decimal number such as 0.0316")
	case value.Sign() < 0:
		return wrong("a number that is not negative")
	case value.Cmp(big.NewRat(highest, 1)) > 0:
		return wrong(fmt.Sprintf("at most %d", highest))
	}
	value.Mul(value, new(big.Rat).SetInt64(parts))
	value.Add(value, big.NewRat(1, 2))
	return new(big.Int).Quo(value.Num(), value.Denom()).Int64(), nil
}

// decimal keeps fractions, hexadecimal numbers and huge exponents from the big numbers, which
// would read them.
var decimal = regexp.MustCompile(`^[+-]?[0-9]{0,20}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?$`)

func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "..."
	}
	return text
}
