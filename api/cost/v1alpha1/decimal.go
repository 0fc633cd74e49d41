package v1alpha1

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Decimal is a number that is not negative, such as 0.02, as its author wrote it: money is not
// counted in floating point.
// +kubebuilder:validation:Type=number
// +kubebuilder:validation:Minimum=0
// +kubebuilder:validation:Maximum=1000000000
type Decimal struct {
	// Digits are the number as JSON writes it; empty is 0.
	Digits string `json:"-"`
}

// UnmarshalJSON keeps the digits of a number.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	var n json.Number
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&n); err != nil {
		return fmt.Errorf("expected a number such as 0.02: %w", err)
	}
	d.Digits = n.String()
	return nil
}

// MarshalJSON writes the digits; what is no number cannot be written.
func (d Decimal) MarshalJSON() ([]byte, error) {
	if d.Digits == "" {
		return []byte("0"), nil
	}
	return json.Marshal(json.Number(d.Digits))
}

// String is the digits.
func (d Decimal) String() string { return d.Digits }
