package engine

import (
	"errors"
	"strings"
	"testing"

	"portico.dev/portico/fleet"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, why, text string
		ok              bool
	}{
		{"Sum", "What people ask.", "sum by (namespace) (rate(a[5m]))", true},
		{"Long", "A dashboard may name many pods.", `a{pod=~"` + strings.Repeat("some-pod-name|", 1000) + `"}`, true},
		{"TooLong", "The parser would take half a minute, and could not be stopped.", strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000), false},
		{"Broken", "It is said what is wrong.", "sum(", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(c.text); (err == nil) != c.ok || err != nil && !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("Parse = %v: %s", err, c.why)
			}
		})
	}
	many := strings.Split(strings.Repeat(`{pod=~"a.*"},`, 2000), ",")
	if _, err := ParseSelectors(many[:2000]); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("ParseSelectors of %d = %v, want that they are too long together", len(many), err)
	}
}
