// Package pace has what the loops of engines have in common: when to try again, and how to wake
// one. It is pure but for Wake.
package pace
