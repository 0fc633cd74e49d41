package helm

import (
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
)

// deed is what Apply does.
type deed string

const (
	// keep leaves the release as it is.
	keep deed = "keep"
	// install makes a release that never stood.
	install deed = "install"
	// upgrade changes one that stood.
	upgrade deed = "upgrade"
	// reinstall finishes a removal, then installs.
	reinstall deed = "remove, then install"
	// yield leaves the release to whoever is at work on it.
	yield deed = "yield"
)

// plan is the decision about a release.
type plan struct {
	do deed
	// redo are the revisions to make again under the same number: those that a crash left
	// pending, or the one that failed. The first is overwritten, the others vanish.
	redo []int
}

// ask is what the decision needs to know of the wish and the world.
type ask struct {
	digest string
	retry  bool
	now    time.Time
	// patience is how long another program may be at work before it counts as crashed.
	patience time.Duration
}

// decide says what to do about a release with these records, the oldest first.
func decide(records []record, a ask) plan {
	if len(records) == 0 {
		return plan{do: install}
	}
	last := records[len(records)-1]
	switch {
	case last.pending():
		// A record with our label is ours, and we hold the release's lock: nobody is at
		// work on it. Of any other program we cannot know but by its age.
		if last.digest == "" && a.now.Sub(last.begun) < a.patience {
			return plan{do: yield}
		}
		before, redo := cutPending(records)
		return again(before, redo)
	case last.status == common.StatusUninstalling:
		return plan{do: reinstall}
	case last.status == common.StatusUninstalled:
		return plan{do: install}
	case last.status == common.StatusFailed:
		if last.digest == a.digest && !a.retry {
			return plan{do: keep}
		}
		return again(records[:len(records)-1], []int{last.revision})
	case last.status == common.StatusDeployed && last.digest == a.digest:
		return plan{do: keep}
	case rolledBack(records, a.digest) && !a.retry:
		return plan{do: keep}
	}
	return plan{do: upgrade}
}

// again decides how the revisions to redo are made: what never stood is installed.
func again(before []record, redo []int) plan {
	for _, r := range before {
		if r.status == common.StatusDeployed || r.status == common.StatusSuperseded {
			return plan{do: upgrade, redo: redo}
		}
	}
	return plan{do: install, redo: redo}
}

// stood is the last revision that stood; 0 if none did.
func stood(records []record) int {
	for _, r := range slices.Backward(records) {
		if r.status == common.StatusDeployed || r.status == common.StatusSuperseded {
			return r.revision
		}
	}
	return 0
}

func cutPending(records []record) (before []record, redo []int) {
	n := len(records)
	for n > 0 && records[n-1].pending() {
		n--
	}
	for _, r := range records[n:] {
		redo = append(redo, r.revision)
	}
	return records[:n], redo
}

// rolledBack says whether the last revision undid a failed attempt at this very digest.
func rolledBack(records []record, digest string) bool {
	n := len(records)
	if n < 2 || records[n-1].status != common.StatusDeployed {
		return false
	}
	failed := records[n-2]
	return failed.status == common.StatusFailed && failed.digest == digest
}
