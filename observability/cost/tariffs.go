package cost

import (
	"strings"

	"portico.dev/portico/observability/cost/price"
)

// tariff is the prices of one cluster.
type tariff struct {
	place price.Place
	book  price.Book
	rates price.Rates
}

// tariffsOf finds each cluster's prices. A cluster is where its first node is that tells where it is.
func tariffsOf(f Facts, book price.Book) map[string]*tariff {
	all := map[string]*tariff{}
	at := func(cluster, home string) *tariff {
		t := all[cluster]
		if t == nil {
			t = &tariff{}
			all[cluster] = t
		}
		if t.place.Home == "" {
			t.place.Home = home
		}
		return t
	}
	for i := range f.Nodes {
		n := &f.Nodes[i]
		t := at(n.Cluster, n.Home)
		if t.place.Region == "" {
			t.place.Region = n.Region
		}
		if t.place.Provider == "" {
			t.place.Provider = n.Provider
		}
	}
	for i := range f.Pods {
		at(f.Pods[i].Cluster, f.Pods[i].Home)
	}
	for _, v := range f.Volumes {
		at(v.Cluster, v.Home)
	}
	for _, b := range f.LoadBalancers {
		at(b.Cluster, b.Home)
	}
	for _, p := range f.Planes {
		at(p.Cluster, p.Home)
	}
	for cluster, t := range all {
		// Two of one name are told apart by their namespaces and regions; a list names the cluster alone.
		t.place.Cluster = cluster[strings.LastIndex(cluster, "/")+1:]
		t.book = book.At(t.place)
		t.rates, _ = t.book.Defaults()
	}
	return all
}

// quote is the price of a node, which may tell another place than its cluster's first.
func (l *ledger) quote(n *Node) price.Quote {
	t := l.tariffs[n.Cluster]
	there := t.place
	if n.Region != "" {
		there.Region = n.Region
	}
	if n.Provider != "" {
		there.Provider = n.Provider
	}
	if there == t.place {
		return t.book.Node(n.Machine)
	}
	return l.book.At(there).Node(n.Machine)
}
