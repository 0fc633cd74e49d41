package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/server/explain"
)

// Management is the region of clusters that are in none: the management cluster looks after them.
const Management = "management"

// Cluster is a ClusterDeployment on one line. Message says in a sentence why it is not well.
type Cluster struct {
	explain.ClusterSummary
	// Region is the name of the region that it lives in; "management" for those in none.
	Region string `json:"region"`
	// Tenant is whose its telemetry is: by its namespace, or by its own label; PLATFORM without either.
	Tenant string            `json:"tenant"`
	Labels map[string]string `json:"labels,omitempty"`

	// words are what a search looks through, in small letters.
	words string
}

// Key names the row.
func (c *Cluster) Key() string { return c.Namespace + "/" + c.Name }

// Place is the namespace whose readers may see the row.
func (c *Cluster) Place() string { return c.Namespace }

// ClusterOf is the row of a ClusterDeployment whose namespace has the label of that tenant, or none. Machines
// are not counted: they are objects of others.
func ClusterOf(d *kcm.ClusterDeployment, tenant string) (Cluster, error) {
	o, err := plain(d, kcm.ClusterDeploymentKind)
	if err != nil {
		return Cluster{}, err
	}
	c := Cluster{
		ClusterSummary: explain.Snapshot{Objects: []unstructured.Unstructured{o}}.Clusters()[0],
		Region:         cmp.Or(d.Status.Region, Management),
		Labels:         maps.Clone(d.Labels),
	}
	return c.Of(tenant), nil
}

// Of is the row in a namespace with the label of that tenant. A tenant that the cluster cannot be of is shown
// as its label says it: nothing is kept of such a cluster.
func (c Cluster) Of(tenant string) Cluster {
	t, err := topology.Tenant(c.Labels, tenant)
	if c.Tenant = string(t); err != nil {
		c.Tenant = cmp.Or(c.Labels[kof.TenantLabel], tenant)
	}
	c.words = strings.ToLower(strings.Join([]string{c.Key(), c.Template, c.KubernetesVersion, c.Region, c.Tenant, c.Credential, c.Message}, "\n"))
	return c
}

// plain is a typed object as package explain takes it.
func plain(o any, kind string) (unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return unstructured.Unstructured{}, fmt.Errorf("reading a %s: %w", kind, err)
	}
	out := unstructured.Unstructured{Object: content}
	out.SetGroupVersionKind(kcm.GroupVersion.WithKind(kind))
	return out, nil
}

// ClusterColumns are what clusters can be sorted by.
func ClusterColumns() []Column[Cluster] {
	text := func(name string, of func(*Cluster) string) Column[Cluster] {
		return Column[Cluster]{name, func(c *Cluster) Rank { return Rank{Text: of(c)} }}
	}
	return []Column[Cluster]{
		text("name", func(c *Cluster) string { return c.Name }),
		text("namespace", func(c *Cluster) string { return c.Namespace }),
		text("template", func(c *Cluster) string { return c.Template }),
		text("region", func(c *Cluster) string { return c.Region }),
		text("tenant", func(c *Cluster) string { return c.Tenant }),
		{"ready", func(c *Cluster) Rank { return Rank{Number: severity(c.Mark)} }},
		{"version", func(c *Cluster) Rank { return versionRank(c.KubernetesVersion) }},
		{"services", func(c *Cluster) Rank { return Rank{Number: int64(c.Services.Total - c.Services.Ready)} }},
		// The youngest has the smallest age.
		{"age", func(c *Cluster) Rank { return Rank{Number: -c.Created.Unix()} }},
	}
}

// severity sorts what is worst first.
func severity(m explain.Mark) int64 {
	switch m {
	case explain.Broken:
		return 0
	case explain.Working:
		return 1
	}
	return 2
}

// versionRank sorts v1.9.1 before v1.36.0; what is no version comes first, by its text.
func versionRank(v string) Rank {
	var major, minor, patch int64
	if n, _ := fmt.Sscanf(strings.TrimPrefix(v, "v"), "%d.%d.%d", &major, &minor, &patch); n < 2 {
		return Rank{Text: v}
	}
	return Rank{Number: major<<40 | minor<<20 | patch, Text: v}
}
