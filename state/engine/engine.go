package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Engine makes sets of services so. All methods are safe for concurrent use.
type Engine interface {
	// Name is the word by which the user chooses the engine, for example "direct".
	Name() string

	// Refuse returns what of set this engine cannot do, with field paths relative to the
	// ServiceSet: nothing is ever ignored in silence. What stands below spec.services[i]
	// concerns that service alone, the i-th of the set. It is pure.
	Refuse(set Set) field.ErrorList

	// Apply tells the engine what should be on the target from now on, and returns how
	// that stands at this moment. It does not wait for the target: work goes on in the
	// background, and Changes tells when the report is another one. Applying the same set
	// again changes nothing and costs the target nothing.
	//
	// Of several sets that want the same release on a target, the one with the highest
	// Policy.Priority has it; among equals the one that has it already, and if none has, the
	// one that was told of first. It is taken over in place: the release is upgraded to what
	// its new owner wants, never removed in between, also where the owner before leaves. Of
	// the others the report says Failed, and whose it is. Who has a release is written on the
	// target, and so outlives the engine. A set that is paused, or a dry run, keeps what it has
	// and takes nothing over; nor does a service with NotYet or Problem, or one that is to be
	// uninstalled.
	//
	// An error of kind fleet.ErrInvalid means that the set as a whole cannot be handled;
	// fleet.ErrNotYet that the target's address is not known yet. What is wrong with a
	// single service, and that a target does not answer, stands in the report.
	Apply(ctx context.Context, set Set) (Report, error)

	// Remove tells the engine that nothing of the set should be on the target any more, and
	// returns how that stands. It needs neither templates nor charts, and works as well in an
	// engine that never heard of the set. The report is Gone when the last trace is; what
	// never was is Gone as soon as the target says so.
	//
	// A release that another set wants is handed over to it only if the engine has been told of
	// that set: it cannot know whom it will be told of, and waits for nobody. Whoever starts an
	// engine tells it of the sets that stay on a target before those of the target that go.
	// Otherwise the release is removed, and installed anew once its heir is told of.
	//
	// A service goes after those of its set that depend on it and go as well, however long these
	// take: an engine has no clock for that. The report says for whom each of them waits
	// (ServiceReport.Awaits), and whoever asks decides how long: what has become Unawaited is not
	// waited for any more, and its own removal goes on beside. Telling it again with more of them
	// breaks off nothing. A dependent that stays is not waited for. Services that leave a set that
	// stays go in the same way, see Set.Leaving.
	//
	// Errors are those of Apply. fleet.ErrNotYet does not mean that nothing is there.
	Remove(ctx context.Context, what Removal) (Report, error)

	// Forget tells the engine that nobody asks about the set any more, on whichever target: work
	// on it ends, the targets stay as they are, and Changes delivers no more of it. Forgetting what
	// is not known does nothing.
	Forget(set types.NamespacedName)

	// Changes delivers the reference of each set whose report has changed since it was
	// returned last. It is one channel for the engine's whole life; references that wait
	// to be read are merged, never dropped.
	Changes() <-chan Ref

	// Start runs the engine until ctx ends. It is called once.
	Start(ctx context.Context) error
}

// Ref names a set and its target. A ServiceSet with services for the management cluster beside its
// own is two sets of one name, which have nothing else in common.
type Ref struct {
	// Set is the ServiceSet.
	Set types.NamespacedName
	// Target is where its services run.
	Target Target
}

// Removal is a set that should be gone.
type Removal struct {
	Ref
	// DependsOn says for services of the set what they depend on, as far as that is known:
	// they go in the reverse order.
	DependsOn map[Key][]Key
	// Unawaited are services that what they depend on does not wait for any more, although they
	// are still there: their removal has taken longer than the user allows.
	Unawaited map[Key]bool
	// Options are those of the services, as far as they are known: they say how to remove them.
	Options map[Key]Options
	// Leave keeps the services on the target, as Policy.LeaveOnRemove asked for: they go on
	// running, belong to nobody from then on, and the report is Gone all the same.
	Leave bool
}

// Target is a cluster that services are installed on.
type Target struct {
	// Cluster is the ClusterDeployment; empty where Management is true.
	Cluster types.NamespacedName
	// Management means the management cluster itself.
	Management bool
}

// Set is what should run on a target, with everything resolved: an engine looks nothing up
// but the target's address.
type Set struct {
	Ref
	// Services are sorted by namespace and name.
	Services []Service
	// Policy says how to treat the set as a whole.
	Policy Policy
	// Health are rules that must hold, beside what objects say of themselves, before a service of
	// the set is called Deployed. Other rules change nothing on the target: what is there is judged
	// by them at once.
	Health []HealthRule
	// Paused means that the engine leaves the target as it is and goes on reporting.
	Paused bool
	// Leaving is what is known of services that the set had, and of those with Uninstall. It is no
	// part of the wish: a set that differs in nothing else is the same.
	Leaving Leaving
}

// Same says whether two sets want the same, whatever is known of services that go.
func (s Set) Same(other Set) bool {
	s.Leaving, other.Leaving = Leaving{}, Leaving{}
	return reflect.DeepEqual(s, other)
}

// Leaving is what is known of services that go, while their set stays: as in Removal. The keys of
// DependsOn are those that may still be there; until an engine has looked, it reports them as Unseen.
type Leaving struct {
	DependsOn map[Key][]Key
	Unawaited map[Key]bool
}

// Wants says whether the set is about a release, so that it may be asked for it.
func (s Set) Wants(key Key) (Service, bool) {
	i := slices.IndexFunc(s.Services, func(svc Service) bool { return svc.Key == key })
	if i < 0 {
		return Service{}, false
	}
	return s.Services[i], true
}

// Kind says what a service is made of.
type Kind string

// The kinds of service.
const (
	Helm      Kind = "Helm"
	Kustomize Kind = "Kustomize"
	Resource  Kind = "Resource"
)

// Key names a service on its target: the release's namespace and name.
type Key = types.NamespacedName

// CompareKeys is the order of services: by namespace and name.
func CompareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// Service is one thing to install.
type Service struct {
	// Key is the release.
	Key Key
	// Kind says how to read Source.
	Kind Kind
	// Template is the ServiceTemplate's name; Version the wanted version, as the user sees it.
	Template, Version string
	// Source is where the chart, kustomization or manifests are.
	Source Source
	// Values are the merged values, as YAML, with every expression evaluated; empty for none.
	// A kustomization takes texts by their names, for its variables ${NAME}; plain manifests
	// take none.
	Values string
	// Options are the installation options of a chart. Services of the other kinds are not
	// waited for, and their namespace is made where it is missing.
	Options Options
	// DependsOn are services of the same set that must be Deployed in their wanted version
	// before this one is installed or upgraded. What is deployed already goes on reporting
	// how it stands.
	DependsOn []Key
	// Yields are services of the same set, of kind Resource like this one, that go before it: an
	// object that one of them holds is theirs, and none of this one's. It changes hands in place, and
	// is not removed in between.
	Yields []Key
	// SkipNamespaces has the namespaces that plain manifests need not be made: for want of one the
	// service fails. Otherwise those that are not there are made, and stay.
	SkipNamespaces bool
	// Uninstall keeps the service listed, but off the target. It goes as one that is not listed
	// any more.
	Uninstall bool
	// NotYet, where it is not empty, is what has to happen before the service can be installed
	// as wanted: for example its chart is still on its way. The engine leaves the target as it
	// is and reports Pending with this sentence.
	NotYet string
	// Problem, where it is not empty, is why the service cannot be installed as wanted: for
	// example its template is not valid. The engine leaves the target as it is and reports
	// Failed with this sentence; the other services go on.
	Problem string
}

// Source is an artifact by digest: an archive that can be fetched, or files that came along.
type Source struct {
	// URL is where the tar.gz can be fetched; empty where Files are set.
	URL string
	// Files are the files themselves, by their path: manifests out of a ConfigMap or Secret,
	// or a kustomization.
	Files map[string]string
	// Ref is the object of the management cluster that the source was fetched for, or that the
	// files are from: engines that read sources themselves name it.
	Ref SourceRef
	// Digest is "sha256:…" of the archive's bytes, or of the files: see DigestOf.
	Digest string
	// Revision is the source's own word: a chart version, a commit.
	Revision string
	// Path is the folder or chart inside the archive; empty means its root.
	Path string
}

// SourceRef names an object of the management cluster.
type SourceRef struct {
	// Kind is HelmChart, GitRepository, OCIRepository, Bucket, ConfigMap or Secret.
	Kind            string
	Namespace, Name string
}

// Report says how a set stands.
type Report struct {
	// Services has one entry for each service that is wanted, or still there; sorted by
	// namespace and name.
	Services []ServiceReport
	// Unreachable is not nil where the target does not answer; the rest of the report is
	// then what was seen at Unreachable.Since.
	Unreachable *Unreachable
	// Gone means that nothing is left of a set that is being removed.
	Gone bool
}

// Unreachable says that a target does not answer.
type Unreachable struct {
	Since   time.Time
	Message string
}

// State is how a service stands: the words of k0rdent's ServiceState.
type State string

// The states of a service.
const (
	// Unseen means that this engine has not looked yet, because it has just been started:
	// what was reported before still counts. It says so only of what it may have made itself.
	Unseen State = ""
	// Pending means that nothing was done yet; the message says what it waits for.
	Pending State = "Pending"
	// Provisioning means that it is being installed or upgraded, or is not healthy yet.
	Provisioning State = "Provisioning"
	// Deployed means that it is there, healthy, in the wanted version with the wanted values.
	Deployed State = "Deployed"
	// Failed means that the last attempt ended with the error in the message.
	Failed State = "Failed"
	// Deleting means that it is being removed.
	Deleting State = "Deleting"
	// Deleted means that it is not there, as wanted.
	Deleted State = "Deleted"
)

// ServiceReport says how one service stands.
type ServiceReport struct {
	Key      Key
	Kind     Kind
	Template string
	// Version is the version that is on the target, in the user's word for it: empty if none
	// is, or none that this engine knows.
	Version string
	State   State
	// Message is a sentence for the reader; empty where State says all. It does not change
	// while nothing changes.
	Message string
	// Since is when State became what it is, as far as this engine has seen it.
	Since time.Time
	// Awaits are the services whose removal this one's waits for, sorted; the message names them.
	// A service that is Deleting and awaits none is being removed.
	Awaits []Key
	// Digest identifies what was deployed last: chart and values.
	Digest string
	// Unhealthy are the kinds with objects that keep the service from being Deployed, sorted by kind.
	Unhealthy []Unhealthy
	// Drift are the objects that are not as they were installed, each with what differs, for
	// example "Deployment default/web: spec.replicas"; sorted, ten at most. An engine mends it
	// or reports it, as Policy.Sync says.
	Drift []string
}

// String names the target for people.
func (t Target) String() string {
	if t.Management {
		return "the management cluster"
	}
	return t.Cluster.String()
}

// DigestOf is the digest of files: the same files have the same.
func DigestOf(files map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%d %s %d %s", len(name), name, len(files[name]), files[name])
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
