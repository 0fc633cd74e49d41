package pace

import "time"

// Doubled is first, n times doubled, and at most most.
func Doubled(first, most time.Duration, n int) time.Duration {
	return min(first<<min(max(n, 0), 10), most)
}

// Sooner is the earlier of two times; zero means never.
func Sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Wake wakes whoever reads from a channel with room for one; one that was woken already is not
// woken twice. It never blocks.
func Wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
