package inventory

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/explain"
)

// Service is one service on one cluster.
type Service struct {
	explain.ServiceSummary
	// Set is the ServiceSet that it is in.
	Set string `json:"set"`

	words string
}

// Key names the row.
func (s *Service) Key() string {
	return strings.Join([]string{s.ClusterNamespace, s.Set, s.Namespace, s.Name}, "/")
}

// Place is the namespace whose readers may see the row.
func (s *Service) Place() string { return s.ClusterNamespace }

// ServicesOf are the rows of a ServiceSet: what its engine reports, and what it was offered.
func ServicesOf(set *kcm.ServiceSet) ([]Service, error) {
	o, err := plain(set, kcm.ServiceSetKind)
	if err != nil {
		return nil, err
	}
	var out []Service
	for _, sum := range (explain.Snapshot{Objects: []unstructured.Unstructured{o}}).Services() {
		s := Service{ServiceSummary: sum, Set: set.Name}
		s.words = strings.ToLower(strings.Join([]string{s.Cluster, s.Key(), s.Template, s.Version, s.State, s.From, s.Message}, "\n"))
		out = append(out, s)
	}
	return out, nil
}

// ServiceColumns are what services can be sorted by.
func ServiceColumns() []Column[Service] {
	text := func(name string, of func(*Service) string) Column[Service] {
		return Column[Service]{name, func(s *Service) Rank { return Rank{Text: of(s)} }}
	}
	return []Column[Service]{
		text("cluster", func(s *Service) string { return s.ClusterNamespace + "/" + s.Cluster }),
		text("name", func(s *Service) string { return s.Name }),
		text("template", func(s *Service) string { return s.Template }),
		text("state", func(s *Service) string { return s.State }),
		text("from", func(s *Service) string { return s.From }),
		{"mark", func(s *Service) Rank { return Rank{Number: severity(s.Mark)} }},
		{"since", func(s *Service) Rank { return Rank{Number: -s.Since.Unix()} }},
	}
}
