package supervise

import "time"

const (
	firstDelay = 100 * time.Millisecond
	mostDelay  = 30 * time.Second
	// steady is how long a program has to live for its earlier ends to be forgotten.
	steady = time.Minute
)

// backoff is the time to wait before a program is started again that lived for the given
// time, after the delay before.
func backoff(previous, lived time.Duration) time.Duration {
	if previous == 0 || lived >= steady {
		return firstDelay
	}
	return min(previous*2, mostDelay)
}
