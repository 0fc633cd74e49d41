package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"portico.dev/portico/fleet"
)

// choose picks the version that is asked for: the very same string if it is there, else the
// highest one that satisfies it as a range. Empty means any release. Strings that are no
// versions are passed over.
func choose(versions []string, want string) (string, error) {
	if slices.Contains(versions, want) {
		return want, nil
	}
	if want == "" {
		want = "*"
	}
	wanted, err := semver.NewConstraint(want)
	if err != nil {
		return "", fmt.Errorf("version %q is neither a version nor a range of versions: %w", want, fleet.ErrInvalid)
	}
	var best string
	var highest *semver.Version
	for _, s := range versions {
		v, err := semver.NewVersion(s)
		if err != nil || !wanted.Check(v) {
			continue
		}
		// The string decides between versions that differ in build metadata alone, so that
		// the order of the list does not matter.
		if highest == nil || v.GreaterThan(highest) || v.Equal(highest) && s > best {
			best, highest = s, v
		}
	}
	if highest == nil {
		return "", fmt.Errorf("no version matches %q; %s", want, offer(newestFirst(versions)))
	}
	return best, nil
}

// newestFirst sorts versions from high to low; strings that are no versions come last.
func newestFirst(versions []string) []string {
	return slices.SortedFunc(slices.Values(versions), func(a, b string) int {
		va, erra := semver.NewVersion(a)
		vb, errb := semver.NewVersion(b)
		switch {
		case erra != nil && errb != nil:
			return strings.Compare(a, b)
		case erra != nil:
			return 1
		case errb != nil:
			return -1
		}
		return vb.Compare(va)
	})
}

// offered is how many names a message lists before it only counts.
const offered = 8

// offer says what there is to choose from.
func offer(names []string) string {
	switch n := len(names); {
	case n == 0:
		return "there is none at all"
	case n <= offered:
		return "there is " + strings.Join(names, ", ")
	default:
		return fmt.Sprintf("there is %s and %d more", strings.Join(names[:offered], ", "), n-offered)
	}
}
