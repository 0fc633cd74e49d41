package processrunner

import (
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
)

const (
	// steady is how long a control plane has to run for its end not to count as a setback.
	steady = time.Minute
	// firstPause and longestPause bound the pause before the next start.
	firstPause, longestPause = time.Second, time.Minute
)

// setback is what happened to an instance that ended soon after its start.
type setback struct {
	count  int
	until  time.Time
	digest string
	log    string
}

// problem is a sentence that stays the same while the instance keeps ending.
func (s setback) problem() string {
	if s.count == 0 {
		return ""
	}
	return "The control plane ended soon after its start and is started again after a pause: see " + s.log
}

// pause doubles with every setback.
func pause(count int) time.Duration {
	if count > 6 {
		return longestPause
	}
	return min(firstPause<<(count-1), longestPause)
}

// ended notes the end of a process that was not ended by us, and rings when it is time to
// start it again.
func (r *Runner) ended(key types.NamespacedName, w *watch, lived time.Duration) {
	r.mu.Lock()
	if r.watched[key] != w {
		r.mu.Unlock()
		return // another one took its place
	}
	delete(r.watched, key)
	s := r.setbacks[key]
	if lived >= steady {
		s = setback{}
	}
	s.count++
	s.log = filepath.Join(r.cfg.Logs, folderName(key)+".log")
	wait := time.Duration(0)
	if lived < steady {
		wait = pause(s.count)
	}
	s.until = r.cfg.Clock().Add(wait)
	r.setbacks[key] = s
	r.mu.Unlock()
	r.cfg.Ring(key)
	if wait > 0 {
		time.AfterFunc(wait, func() { r.cfg.Ring(key) })
	}
}

// heldBack is fleet.ErrNotYet while the pause after a setback lasts. A changed instance is
// tried at once: the change may be the remedy.
func (r *Runner) heldBack(key types.NamespacedName, digest string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.setbacks[key]
	if s.digest != digest {
		s = setback{digest: digest, log: s.log}
		r.setbacks[key] = s
		return nil
	}
	if r.cfg.Clock().Before(s.until) {
		return fmt.Errorf("%w: %s", fleet.ErrNotYet, s.problem())
	}
	return nil
}
