package cost

import (
	"time"

	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// Facts are what is known of clusters in a window.
type Facts struct {
	// Until is the time up to which anything can be known: what runs has cost nothing after it.
	Until         time.Time
	Nodes         []Node
	Pods          []Pod
	Volumes       []Volume
	LoadBalancers []LoadBalancer
	Planes        []Plane
	// Notes are what the source wants to say to a person.
	Notes []string
}

// Life is when something was there. A zero Start means since before the window, a zero End that
// it is there still.
type Life struct{ Start, End time.Time }

// Node is a machine of a cluster. Of all facts, Home is the namespace of the ClusterDeployment, where
// it is known.
type Node struct {
	Cluster, Home string
	Tenant        store.Tenant
	price.Machine
	Life Life
	// CPU is in cores, RAM in bytes, GPU in GPUs.
	CPU, RAM, GPU Series
}

// Pod is a pod on a node. Containers are not told apart.
type Pod struct {
	Cluster, Home, Namespace, Name, Node string
	Tenant                               store.Tenant
	// Controller and Kind are the workload that the pod belongs to, such as a Deployment's.
	Controller, Kind string
	Labels           map[string]string
	// Services are those whose load balancers lead to the pod, Claims the volume claims that it mounts.
	Services, Claims []string
	Life             Life
	CPU, RAM, GPU    Demand
	Traffic          Traffic
}

// Demand is what a pod asks for and uses of a resource.
type Demand struct{ Request, Limit, Usage Series }

// Traffic is bytes per second.
type Traffic struct {
	// Zone, Region and Internet leave the zone, the region, and for the internet. Sent is all
	// that was sent, wherever to; it may be more than those three, since few sources tell them
	// apart, and costs nothing by itself.
	Zone, Region, Internet, Sent, Received Series
}

// Volume is a persistent volume.
type Volume struct {
	Cluster, Home string
	Tenant        store.Tenant
	price.Disk
	// Namespace and Claim are the claim that it is bound to; empty for none.
	Namespace, Claim string
	Life             Life
	Bytes            Series
}

// LoadBalancer is a Service's.
type LoadBalancer struct {
	Cluster, Home, Namespace, Service string
	Tenant                            store.Tenant
	Life                              Life
	// Ingress is bytes per second.
	Ingress Series
}

// Plane is the control plane of a cluster, where it costs something by itself.
type Plane struct {
	Cluster, Home string
	Tenant        store.Tenant
	Life          Life
}

// span is a life within a window, in milliseconds.
type span struct{ from, to int64 }

func (s span) hours() float64 { return float64(s.to-s.from) / hour }

// within is the part of a life that is in the window and not after the time that is known.
func (l Life) within(w window.Window, until time.Time) span {
	s := span{w.Start.UnixMilli(), w.End.UnixMilli()}
	if !l.Start.IsZero() {
		s.from = max(s.from, l.Start.UnixMilli())
	}
	if !l.End.IsZero() {
		s.to = min(s.to, l.End.UnixMilli())
	}
	if !until.IsZero() {
		s.to = min(s.to, until.UnixMilli())
	}
	s.to = max(s.to, s.from)
	return s
}

// Of leaves what the scope may see. A source gives nothing else; this is the second lock.
func (f Facts) Of(in store.Scope) Facts {
	if in.All() {
		return f
	}
	mine := f
	mine.Nodes = only(f.Nodes, func(n Node) bool { return n.Tenant == in.Tenant() })
	mine.Pods = only(f.Pods, func(p Pod) bool { return p.Tenant == in.Tenant() })
	mine.Volumes = only(f.Volumes, func(v Volume) bool { return v.Tenant == in.Tenant() })
	mine.LoadBalancers = only(f.LoadBalancers, func(l LoadBalancer) bool { return l.Tenant == in.Tenant() })
	mine.Planes = only(f.Planes, func(p Plane) bool { return p.Tenant == in.Tenant() })
	return mine
}

func only[T any](all []T, keep func(T) bool) []T {
	var kept []T
	for _, one := range all {
		if keep(one) {
			kept = append(kept, one)
		}
	}
	return kept
}
