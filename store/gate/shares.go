package gate

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// shares bound how much of the journal one tenant may fill: who fills it stops everybody's writes.
type shares struct {
	// most is how many bytes a tenant may append in a window.
	most   int64
	window time.Duration

	mu sync.Mutex
	// now counts bytes by tenant since began, before those of the window that came before it.
	now, before map[string]int64
	began       time.Time
}

// spend counts bytes of a tenant, or returns errBusy where it has had its share. What was written in the
// window before counts by the part of it that is still less than a window ago.
func (s *shares) spend(tenant string, bytes int64, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch passed := at.Sub(s.began); {
	case passed >= 2*s.window:
		s.now, s.before, s.began = map[string]int64{}, nil, at
	case passed >= s.window:
		s.now, s.before, s.began = map[string]int64{}, s.now, s.began.Add(s.window)
	}
	old := 1 - float64(at.Sub(s.began))/float64(s.window)
	has := s.now[tenant] + int64(old*float64(s.before[tenant]))
	if has+bytes > s.most {
		return fmt.Errorf("%w: %d bytes of metrics were written for the tenant %q within %s, of at most %d", errBusy, has, tenant, s.window, s.most)
	}
	s.now[tenant] += bytes
	return nil
}

// tenantOf is whose samples a write has, by the label that is added to them; "" for those of nobody.
func tenantOf(e entry) string {
	query, err := url.ParseQuery(e.Query)
	if err != nil {
		return ""
	}
	for _, label := range query["extra_label"] {
		if tenant, ok := strings.CutPrefix(label, "tenant="); ok {
			return tenant
		}
	}
	return ""
}
