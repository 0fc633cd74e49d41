package storetest_test

import (
	"testing"
	"time"

	"portico.dev/portico/observability/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Metrics(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), func(*testing.T) storetest.Subject {
		return storetest.Subject{Store: storetest.NewMemory(), Differences: storetest.Differences{Counted: true}}
	})
}
