package places_test

import (
	"errors"
	"strings"
	"testing"

	"portico.dev/portico/server/places"
)

// One user gets his share, another one the rest, and what is given back can be taken again, once.
func TestShares(t *testing.T) {
	p := places.New("searches", 3, 2)
	var held []func()
	for _, tc := range []struct {
		why, user, refused string
	}{
		{"the first place", "ann", ""},
		{"a share is more than one", "ann", ""},
		{"but no more than it", "ann", "2 searches under way, which is all that one user may"},
		{"another user has a place still", "bob", ""},
		{"until there are no more", "bob", "3 searches are under way"},
		{"for anybody", "eve", "3 searches are under way"},
	} {
		release, err := p.Take(tc.user)
		if (err == nil) != (tc.refused == "") || err != nil && (!errors.Is(err, places.ErrTaken) || !strings.Contains(err.Error(), tc.refused)) {
			t.Errorf("%s: %s gets %v", tc.why, tc.user, err)
		}
		if err == nil {
			held = append(held, release)
		}
	}
	held[0]()
	held[0]()
	if _, err := p.Take("eve"); err != nil {
		t.Errorf("a place that was given back: %v", err)
	}
	if _, err := p.Take("ann"); err == nil {
		t.Error("a place that was given back twice counts twice")
	}
}
