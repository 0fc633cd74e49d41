package topology

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
)

// Settings are what a plane decides about its topology.
type Settings struct {
	// Self is the management cluster as a region. Its ConfigMap, and no other, may say that everybody
	// may report there. Empty means that none may.
	Self types.NamespacedName
	// Reach is how far children may look for their region; empty means OwnNamespace.
	Reach Reach
	// Template is the ServiceTemplate of the system namespace that renders the value
	// propagation.data as it is. Empty means that nothing is brought to other clusters.
	Template string
	// RegionalService and IstioRegionalService are the MultiClusterServices that install the
	// stores of regions, and that have to be there before their users. Empty means none.
	RegionalService, IstioRegionalService string
	// Version restricts what is brought to regions to clusters whose label kof-version has this
	// value. Empty does not.
	Version string
	// Release is the namespace of the clusters that ask the regions for logs and traces, and of
	// Promxy's configuration; empty means kof.
	Release string
	// LogsCluster and TracesCluster are the VLCluster and the VTCluster there that ask the
	// regions. Where one is empty, no VMStorageConnections of its kind are made.
	LogsCluster, TracesCluster string
	// Backends are where a region's vmauth sends requests to; the zero value means KOFBackends.
	Backends Backends
	// Grace is how long replaced credentials are still good; zero means one hour.
	Grace time.Duration
}

// Defaulted are the settings with what is empty filled in.
func (s Settings) Defaulted() Settings {
	if s.Reach == "" {
		s.Reach = OwnNamespace
	}
	if s.Release == "" {
		s.Release = kof.Namespace
	}
	if s.Backends == (Backends{}) {
		s.Backends = KOFBackends()
	}
	if s.Grace == 0 {
		s.Grace = time.Hour
	}
	return s
}

// Regionless is a management cluster that is the region of everybody who names none.
type Regionless struct {
	// Cluster is the name and the namespace of the management cluster, as telemetry calls it.
	Cluster types.NamespacedName
	// Endpoints are where its stores are, as the children see them.
	Endpoints Endpoints
}
