// Package pace has what engines have in common beside their contract: when to try and to look again
// (pace.go, health.go), for whom a service waits (order.go), and how to wake a loop. It is pure but
// for Wake.
package pace
