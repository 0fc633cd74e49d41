package source

import (
	"errors"
	"strings"
	"testing"

	"portico.dev/portico/fleet"
)

func TestChoose(t *testing.T) {
	versions := []string{"1.0.0", "latest", "2.0.0-rc.1", "1.10.0", "v1.9.0", "1.2.0+b", "1.2.0+a"}
	tests := []struct{ name, why, want, get, fails string }{
		{"Any", "Empty means the newest release; a pre-release is none.", "", "1.10.0", ""},
		{"Star", "The same in Flux's words.", "*", "1.10.0", ""},
		{"Exact", "A string that is there needs no thinking, be it a version or not.", "latest", "latest", ""},
		{"ExactPreRelease", "A pre-release by name.", "2.0.0-rc.1", "2.0.0-rc.1", ""},
		{"Range", "The newest of a range, by number and not by letter.", "~1.9", "v1.9.0", ""},
		{"RangeWithPreRelease", "A range that names pre-releases wants them.", ">=1.0.0-0", "2.0.0-rc.1", ""},
		{"BuildMetadata", "Versions that are equal are told apart by text, so that the list's order does not matter.", "1.2.x", "1.2.0+b", ""},
		{"None", "The message says what there is, newest first.", ">=3", "", `no version matches ">=3"; there is 2.0.0-rc.1, 1.10.0, v1.9.0, 1.2.0+b, 1.2.0+a, 1.0.0, latest`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := choose(versions, tc.want)
			if got != tc.get || (err == nil) != (tc.fails == "") {
				t.Fatalf("%s\nchoose(%q) = %q, %v; want %q", tc.why, tc.want, got, err, tc.get)
			}
			if err != nil && err.Error() != tc.fails {
				t.Errorf("%s\nmessage %q\nwant    %q", tc.why, err, tc.fails)
			}
		})
	}
}

func TestChooseRefusesNonsense(t *testing.T) {
	_, err := choose([]string{"1.0.0"}, "not a version")
	if !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("only the user can mend a range that cannot be read, but the error is %v", err)
	}
}

func TestOfferCounts(t *testing.T) {
	names := strings.Split("a b c d e f g h i j", " ")
	if got, want := offer(names), "there is a, b, c, d, e, f, g, h and 2 more"; got != want {
		t.Errorf("offer = %q, want %q: a message is read by people", got, want)
	}
}
