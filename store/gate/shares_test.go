package gate

import (
	"errors"
	"testing"
	"time"
)

func TestShares(t *testing.T) {
	s := shares{most: 100, window: time.Minute}
	began := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		why    string
		after  time.Duration
		tenant string
		bytes  int64
		ok     bool
	}{
		{"There is room.", 0, "a", 60, true},
		{"That is more than its share.", time.Second, "a", 41, false},
		{"Another one has its own.", time.Second, "b", 100, true},
		{"What was refused does not count.", 2 * time.Second, "a", 40, true},
		{"Half of what came in the window before counts.", 90 * time.Second, "a", 51, false},
		{"The other half does not.", 90 * time.Second, "a", 50, true},
		{"After two windows nothing counts.", 4 * time.Minute, "a", 100, true},
	} {
		err := s.spend(c.tenant, c.bytes, began.Add(c.after))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, errBusy) {
			t.Errorf("%s spend = %v", c.why, err)
		}
	}
	for query, want := range map[string]string{"extra_label=tenant%3Da&timestamp=7": "a", "extra_label=b%3Dc": "", "": ""} {
		if got := tenantOf(entry{Query: query}); got != want {
			t.Errorf("tenantOf(%q) = %q, want %q", query, got, want)
		}
	}
}
