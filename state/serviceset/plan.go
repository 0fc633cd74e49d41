package serviceset

import (
	"fmt"
	"strings"
	"time"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
)

// How long the services of a cluster that goes itself may hold it up.
const (
	// silence is how long we wait for a cluster that does not answer.
	silence = 20 * time.Second
	// patience is how long the removal may take on one that answers: what cannot be removed
	// by then goes with the cluster.
	patience = 5 * time.Minute
)

// Departure is what the end of a ServiceSet is decided from.
type Departure struct {
	// Report is what the engine says about the removal.
	Report engine.Report
	// Problem is why the engine cannot reach the cluster at all; empty for none. NoAddress
	// says that it is for want of a kubeconfig.
	Problem   string
	NoAddress bool
	// First are ServiceSets that depend on this one and are going as well, by name: they go first.
	// Again is when one of them is not waited for any more, zero if time alone changes nothing; and
	// Without says of whom that is true by now, empty for nobody. Misread is why the deadline that
	// somebody wrote does not count.
	First            []string
	Again            time.Time
	Without, Misread string
	// Unheard are ServiceSets of the cluster that stay, and of which the engine was not told since it
	// was started: one of them may want what this one has.
	Unheard []string
	// Provider is how the StateManagementProvider stands; Suspended is why nothing may be changed,
	// empty if it may.
	Provider  Provider
	Suspended string
	Cluster   Cluster
	Now       time.Time
}

// holds is why the removal must not begin yet; empty if it may.
func (d Departure) holds() string {
	switch {
	case d.Suspended != "":
		return d.Suspended + "."
	case len(d.First) > 0:
		return joined(fmt.Sprintf("What depends on it goes first: ServiceSet %s.", strings.Join(d.First, ", ")), d.Misread)
	case len(d.Unheard) > 0:
		return othersFirst(d.Unheard)
	}
	return ""
}

// waits says whether the removal does not begin yet. Where the cluster goes itself, nothing waits
// for longer than the removal may take.
func (d Departure) waits(set *kcm.ServiceSet) bool {
	if d.holds() == "" {
		return false
	}
	return d.Cluster.Exists && d.Cluster.Deleting.IsZero() || d.left(set, patience) > 0
}

// left is how much remains of a time that began when set and cluster were both going.
func (d Departure) left(set *kcm.ServiceSet, of time.Duration) time.Duration {
	return later(set.DeletionTimestamp.Time, d.Cluster.Deleting).Add(of).Sub(d.Now)
}

// until is how long it is until then; 0 for a time that does not come.
func (d Departure) until(then time.Time) time.Duration {
	if then.IsZero() {
		return 0
	}
	return max(then.Sub(d.Now), time.Millisecond)
}

// Cluster is what becomes of the cluster of a ServiceSet.
type Cluster struct {
	// Exists says that there is a ClusterDeployment of that name, or that the cluster is the
	// management cluster.
	Exists bool
	// Deleting is since when it is being deleted; zero if it is not.
	Deleting time.Time
}

// Ending is how the deletion of a ServiceSet goes on.
type Ending struct {
	// Release says that our finalizer comes off.
	Release bool
	// Abandoned is why services were left where they are; empty if none were.
	Abandoned string
	// Held is why nothing can be done at present; empty if something is being done.
	Held string
	Next fleet.Next
}

// DecideEnd says how the deletion of a ServiceSet goes on. It is pure.
//
// A cluster that lives keeps its ServiceSet until the services are gone, however long it does
// not answer: nobody else would ever remove them. A cluster that goes takes them with it, so
// that they may not hold it up for long. That there is no kubeconfig says nothing about what is
// on the cluster: it may be about to be written anew.
//
// What depends on the set goes first, but no longer than the deadline says that it may take: see
// Order.
func DecideEnd(set *kcm.ServiceSet, saw Departure) Ending {
	if saw.waits(set) {
		end := Ending{Held: saw.holds(), Next: fleet.Wait("its turn", saw.until(saw.Again))}
		if !saw.Cluster.Exists || !saw.Cluster.Deleting.IsZero() {
			end.Next = fleet.Wait("its turn", saw.left(set, patience))
		}
		return end
	}
	stuck := why(saw)
	switch {
	case saw.Report.Gone:
		return Ending{Release: true}
	case saw.NoAddress && !everInstalled(set):
		return Ending{Release: true}
	case saw.NoAddress && !saw.Cluster.Exists:
		return Ending{Release: true, Abandoned: "The cluster is gone."}
	case !saw.Cluster.Exists, !saw.Cluster.Deleting.IsZero():
		return hurry(set, saw, stuck)
	case stuck != "":
		return Ending{Held: fmt.Sprintf("%s The services stay until it answers. To let the ServiceSet go without removing them, take the finalizer %s off.", stuck, kcm.ServiceSetFinalizer),
			Next: fleet.Wait("the cluster to answer", 0)}
	}
	return Ending{Next: fleet.Wait("the services to be removed", 0)}
}

// hurry is the end of the services of a cluster that goes itself.
func hurry(set *kcm.ServiceSet, saw Departure, stuck string) Ending {
	since, limit := later(set.DeletionTimestamp.Time, saw.Cluster.Deleting), patience
	if stuck != "" {
		limit = silence
		if lost := saw.Report.Unreachable; lost != nil {
			since = later(since, lost.Since)
		}
	}
	left := since.Add(limit).Sub(saw.Now)
	switch {
	case left > 0 && stuck != "":
		return Ending{Held: stuck + " It is being deleted: if it stays so, its services are left to go with it.", Next: fleet.Wait("the cluster to answer", left)}
	case left > 0:
		return Ending{Next: fleet.Wait("the services to be removed", left)}
	case stuck != "":
		return Ending{Release: true, Abandoned: stuck}
	}
	return Ending{Release: true, Abandoned: fmt.Sprintf("They could not be removed within %s.", limit)}
}

// why is why the cluster cannot be worked on, as sentences; empty if it can.
func why(saw Departure) string {
	switch lost := saw.Report.Unreachable; {
	case saw.Problem != "":
		return fmt.Sprintf("The cluster cannot be reached: %s.", saw.Problem)
	case lost != nil:
		return fmt.Sprintf("The cluster does not answer since %s: %s.", lost.Since.UTC().Format(time.RFC3339), lost.Message)
	}
	return ""
}

// everInstalled says whether anything of the set may be on the cluster, as far as was ever seen.
func everInstalled(set *kcm.ServiceSet) bool {
	for _, s := range set.Status.Services {
		switch {
		case s.LastDeployedHash != "":
			return true
		case s.State == kcm.ServiceProvisioning, s.State == kcm.ServiceDeployed, s.State == kcm.ServiceDeleting:
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
