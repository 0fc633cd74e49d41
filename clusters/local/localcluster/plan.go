package localcluster

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/clusters/provider"
)

// Verb is one thing that can be done for a LocalCluster.
type Verb = provider.Verb

// The verbs, in the order in which they happen.
const (
	AddFinalizer          = provider.AddFinalizer
	Allocate         Verb = "record the endpoint"
	EnsureNetwork    Verb = "make the network, or complete it"
	RemoveNetwork    Verb = "remove the network"
	ReleaseFinalizer      = provider.ReleaseFinalizer
	Wait                  = provider.Wait
	Stop                  = provider.Stop
)

// Step is a verb, why, and for Allocate the endpoint.
type Step struct {
	Do       Verb
	Why      string
	Endpoint infra.APIEndpoint
}

// String is the step as a line of a plan.
func (s Step) String() string {
	out := string(s.Do)
	if s.Do == Allocate {
		out += fmt.Sprintf(" %s:%d", s.Endpoint.Host, s.Endpoint.Port)
	}
	if s.Why != "" {
		out += ": " + s.Why
	}
	return out
}

// Plan is what to do now, in this order.
type Plan []Step

const (
	loopback = "127.0.0.1"
	// The ports of mode Host lie below those that Linux and Kubernetes give out by themselves.
	firstPort, lastPort = 20000, 27999
	firstIndex          = 1
	lastIndex           = 254
)

// Decide is the whole policy.
func Decide(l *infra.LocalCluster, saw Observed) Plan {
	switch {
	case saw.Paused:
		return nil
	case !l.DeletionTimestamp.IsZero():
		return decideDelete(saw)
	case !saw.Owned:
		return Plan{{Do: Wait, Why: "Cluster API to make its Cluster the owner"}}
	case isolated(l) && saw.Refusal != "":
		return Plan{{Do: Stop, Why: saw.Refusal}}
	}
	var plan Plan
	if !slices.Contains(l.Finalizers, infra.LocalClusterFinalizer) {
		plan = append(plan, Step{Do: AddFinalizer})
	}
	endpoint := l.Spec.ControlPlaneEndpoint
	if why := lost(l, saw); endpoint.Port == 0 || why != "" {
		var ok bool
		if endpoint, ok = allocate(l, saw); !ok {
			return append(plan, Step{Do: Stop, Why: full(l)})
		}
		plan = append(plan, Step{Do: Allocate, Why: why, Endpoint: endpoint})
	}
	if isolated(l) {
		if _, ok := index(endpoint); !ok {
			return append(plan, Step{Do: Stop, Why: fmt.Sprintf("spec.controlPlaneEndpoint %s:%d is not an address of network mode Isolated: leave it empty", endpoint.Host, endpoint.Port)})
		}
		plan = append(plan, Step{Do: EnsureNetwork})
	}
	return plan
}

// lost says why a cluster needs another network than the one that was recorded for it: before it was
// made, somebody else on this computer took it. One that the cluster has had stays its own, since
// certificates and machines bear its addresses.
func lost(l *infra.LocalCluster, saw Observed) string {
	if n, ok := indexOf(l); ok && isolated(l) && !saw.Settled && slices.Contains(saw.Indexes, n) {
		return "somebody else took " + l.Spec.ControlPlaneEndpoint.Host
	}
	return ""
}

func full(l *infra.LocalCluster) string {
	if !isolated(l) {
		return fmt.Sprintf("every port from %d to %d is taken: delete a cluster first", firstPort, lastPort)
	}
	return "every network from 10.213.1.0/24 to 10.213.254.0/24 is taken: delete a cluster first"
}

// decideDelete waits for the machines, whose namespaces are plugged into the network.
func decideDelete(saw Observed) Plan {
	if len(saw.Machines) > 0 {
		return Plan{{Do: Wait, Why: "its machines to be gone: " + strings.Join(saw.Machines, ", ")}}
	}
	var plan Plan
	if saw.Network {
		plan = append(plan, Step{Do: RemoveNetwork})
	}
	return append(plan, Step{Do: ReleaseFinalizer})
}

// allocate chooses what nobody has. Where it begins to look follows from the object, so that a
// repeated look after a crash chooses the same again.
func allocate(l *infra.LocalCluster, saw Observed) (infra.APIEndpoint, bool) {
	if !isolated(l) {
		h := fnv.New32a()
		h.Write([]byte(l.UID))
		const room = lastPort - firstPort + 1
		begin := int32(h.Sum32() % room)
		for i := range int32(room) {
			if port := firstPort + (begin+i)%room; !slices.Contains(saw.Ports, port) {
				return infra.APIEndpoint{Host: loopback, Port: port}, true
			}
		}
		return infra.APIEndpoint{}, false
	}
	for n := int32(firstIndex); n <= lastIndex; n++ {
		if !slices.Contains(saw.Indexes, n) {
			return endpointOf(n), true
		}
	}
	return infra.APIEndpoint{}, false
}

func endpointOf(n int32) infra.APIEndpoint {
	return infra.APIEndpoint{Host: network.Host{}.Of(network.Cluster{Index: int(n)}).ServerIP.String(), Port: network.Port}
}

// index is the number of the network that an endpoint lies in.
func index(e infra.APIEndpoint) (int32, bool) {
	addr, err := netip.ParseAddr(e.Host)
	if err != nil || !addr.Is4() {
		return 0, false
	}
	n := int32(addr.As4()[2])
	return n, n >= firstIndex && n <= lastIndex && e == endpointOf(n)
}

func indexOf(l *infra.LocalCluster) (int32, bool) { return index(l.Spec.ControlPlaneEndpoint) }

func isolated(l *infra.LocalCluster) bool { return l.Spec.Network != infra.NetworkHost }

// ID is the name of the cluster on this computer.
func ID(l *infra.LocalCluster) string {
	return network.ID(l.Namespace, l.Name, string(l.UID))
}
