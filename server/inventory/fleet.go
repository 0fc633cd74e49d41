package inventory

// Fleet is a page of clusters, with figures over all that match.
type Fleet struct {
	Page[Cluster]
	Totals Totals `json:"totals"`
	// Resume is where a stream of changes goes on from this page.
	Resume string `json:"resume,omitempty"`
}

// Services is a page of services.
type Services struct {
	Page[Service]
	Resume string `json:"resume,omitempty"`
}

// FleetOf answers a question about clusters. Seen says whose namespaces may be seen.
func FleetOf(t *Table[Cluster], ask Ask, filter ClusterFilter, seen func(namespace string) bool) (Fleet, error) {
	f := Fleet{Totals: NewTotals()}
	matches, seen := filter.Matcher(), remembered(seen)
	var err error
	f.Page, err = t.Page(ask, func(c *Cluster) bool {
		if !matches(c) || !seen(c.Namespace) {
			return false
		}
		f.Totals.Add(c)
		return true
	})
	return f, err
}

// ServicesIn answers a question about services. Seen says whose namespaces may be seen.
func ServicesIn(t *Table[Service], ask Ask, filter ServiceFilter, seen func(namespace string) bool) (Services, error) {
	matches, seen := filter.Matcher(), remembered(seen)
	page, err := t.Page(ask, func(s *Service) bool { return matches(s) && seen(s.ClusterNamespace) })
	return Services{Page: page}, err
}

// remembered asks about each namespace once.
func remembered(seen func(string) bool) func(string) bool {
	known := map[string]bool{}
	return func(namespace string) bool {
		may, told := known[namespace]
		if !told {
			may = seen(namespace)
			known[namespace] = may
		}
		return may
	}
}
