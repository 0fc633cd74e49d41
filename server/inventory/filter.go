package inventory

import (
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"portico.dev/portico/server/explain"
)

// ClusterFilter says which clusters are wanted. An empty field wants all.
type ClusterFilter struct {
	// Text has to be in what the row shows, each word of it, without regard to case.
	Text string
	// Namespaces, Regions, Tenants, Templates, Versions and Marks each hold what will do.
	Namespaces, Regions, Tenants, Templates, Versions, Marks []string
	// Labels have to match those of the ClusterDeployment.
	Labels labels.Selector
}

// Matcher returns the filter as a function of rows.
func (f ClusterFilter) Matcher() func(*Cluster) bool {
	words := strings.Fields(strings.ToLower(f.Text))
	return func(c *Cluster) bool {
		return among(f.Namespaces, c.Namespace) && among(f.Regions, c.Region) && among(f.Tenants, c.Tenant) &&
			among(f.Templates, c.Template) && among(f.Versions, c.KubernetesVersion) && among(f.Marks, string(c.Mark)) &&
			(f.Labels == nil || f.Labels.Matches(labels.Set(c.Labels))) && holds(c.words, words)
	}
}

// ServiceFilter says which services are wanted. An empty field wants all.
type ServiceFilter struct {
	Text string
	// Namespaces and Clusters are those of the ClusterDeployments.
	Namespaces, Clusters, Templates, States, Marks []string
}

// Matcher returns the filter as a function of rows.
func (f ServiceFilter) Matcher() func(*Service) bool {
	words := strings.Fields(strings.ToLower(f.Text))
	return func(s *Service) bool {
		return among(f.Namespaces, s.ClusterNamespace) && among(f.Clusters, s.Cluster) && among(f.Templates, s.Template) &&
			among(f.States, s.State) && among(f.Marks, string(s.Mark)) && holds(s.words, words)
	}
}

func among(some []string, one string) bool {
	for _, s := range some {
		if s == one {
			return true
		}
	}
	return len(some) == 0
}

func holds(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// Totals are figures over all clusters that match, whatever page is shown.
type Totals struct {
	Clusters int           `json:"clusters"`
	OK       int           `json:"ok"`
	Working  int           `json:"working"`
	Broken   int           `json:"broken"`
	Services explain.Count `json:"services"`
	// Regions, Tenants, Versions and Templates count clusters by what they have.
	Regions   map[string]int `json:"regions"`
	Tenants   map[string]int `json:"tenants"`
	Versions  map[string]int `json:"versions"`
	Templates map[string]int `json:"templates"`
}

// NewTotals returns the totals of nothing.
func NewTotals() Totals {
	return Totals{Regions: map[string]int{}, Tenants: map[string]int{}, Versions: map[string]int{}, Templates: map[string]int{}}
}

// Add counts a cluster.
func (t *Totals) Add(c *Cluster) {
	t.Clusters++
	switch c.Mark {
	case explain.OK:
		t.OK++
	case explain.Working:
		t.Working++
	default:
		t.Broken++
	}
	t.Services.Ready += c.Services.Ready
	t.Services.Total += c.Services.Total
	t.Regions[c.Region]++
	t.Tenants[c.Tenant]++
	t.Versions[c.KubernetesVersion]++
	t.Templates[c.Template]++
}
