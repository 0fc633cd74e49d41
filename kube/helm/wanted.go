package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// DigestLabel is the label of a release's record that holds the digest of what was wanted.
const DigestLabel = "portico.dev/digest"

// RevisionLabel is the label of a record that says which revision the digest was written for. Helm
// carries labels over to the next revision, also when somebody else makes that one: what is said of
// another revision counts no more. Records without it were made before there was one.
const RevisionLabel = "portico.dev/revision"

// Wanted is a release as it shall be.
type Wanted struct {
	Namespace, Name string
	Chart           *Chart
	Values          Values
	// ObjectLabels are put on every object of the release, so that others find them.
	ObjectLabels map[string]string
	Options      Options
	// Owner is whose release it is: Apply leaves one alone that is another's. The zero value
	// is nobody, who may have any.
	Owner Owner
	// TakeFrom are the owners from whom the release is taken in place, if it is theirs: it is the
	// Owner's from then on. A release that is already as wanted gets no new revision for that.
	TakeFrom []Owner
	// TakeObjects are releases from which objects are taken over in place, if they hold objects that
	// this one shall have. It is for charts that were made of manifests.
	TakeObjects []types.NamespacedName
	// Elsewhere are objects that the release may have had and that other releases have from now on:
	// they are not removed with it. It is for charts that were made of manifests.
	Elsewhere []*unstructured.Unstructured
	// Patches change what the chart renders, hooks aside, in their order.
	Patches []Patch
	// Retry applies even when the last attempt at the very same failed. Whoever sets it
	// decides how long to wait between attempts.
	Retry bool
}

// Owner says whose a release is, by a label of its record.
type Owner struct{ Label, Value string }

// Options are the ways in which a release is installed and upgraded. The zero value is
// Helm's default.
type Options struct {
	// CreateNamespace makes the release's namespace if it does not exist.
	CreateNamespace bool
	// CreateNamespaces makes those that the objects of manifests are in, likewise.
	CreateNamespaces bool
	// Wait blocks until the objects are ready; WaitForJobs until jobs are done, too.
	// Without it, Health says how they stand.
	Wait, WaitForJobs bool
	// Atomic waits, and undoes a failed attempt: a failed install is removed, leaving the
	// record of its failure, a failed upgrade is rolled back.
	Atomic bool
	// Timeout bounds each wait; zero means five minutes.
	Timeout time.Duration
	// SkipCRDs leaves the chart's crds folder alone.
	SkipCRDs bool
	// SkipSchemaValidation applies values that break the chart's schema. Unknown keys are
	// never a reason for Apply to refuse: that is Check.
	SkipSchemaValidation bool
	// DisableHooks runs no hooks, neither on install nor on upgrade.
	DisableHooks bool
	// MaxHistory bounds the kept revisions; zero means ten, less than zero no bound.
	MaxHistory int
	// SubNotes renders the notes of the chart's dependencies, too.
	SubNotes bool
	// Description is kept with the revision in place of Helm's own words.
	Description string
	// Labels are put on the release's record.
	Labels map[string]string
	// Install are the options of a first revision, Upgrade those of all others.
	Install InstallOptions
	Upgrade UpgradeOptions
}

// InstallOptions are the ways in which a release is installed.
type InstallOptions struct {
	// DisableHooks runs no hooks on installs.
	DisableHooks bool
	// TakeOwnership makes objects that exist already the release's own.
	TakeOwnership bool
}

// UpgradeOptions are the ways in which a release is upgraded.
type UpgradeOptions struct {
	// Force replaces objects instead of patching them.
	Force bool
	// ReuseValues lays the wanted values over those of the running release and its chart;
	// ResetThenReuseValues over those of the running release and the new chart. Without
	// either, the wanted values are all there is.
	ReuseValues, ResetThenReuseValues bool
	// CleanupOnFail removes what a failed upgrade has created.
	CleanupOnFail bool
	// CRDs applies the chart's crds folder on upgrades, too.
	CRDs bool
	// DisableHooks runs no hooks on upgrades.
	DisableHooks bool
	// TakeOwnership makes objects that exist already the release's own.
	TakeOwnership bool
}

// RemoveOptions are the ways in which a release is removed.
type RemoveOptions struct {
	// KeepHistory keeps the records, so that they can be looked at.
	KeepHistory bool
	// Propagation is background (the default), foreground or orphan.
	Propagation string
	// DisableHooks runs no hooks.
	DisableHooks bool
	// Wait blocks until the objects are gone.
	Wait bool
	// Timeout bounds each wait; zero means five minutes.
	Timeout time.Duration
	// Owner is who removes it: what is another's is not there for them. The zero value is
	// nobody, who may remove any.
	Owner Owner
}

const (
	defaultTimeout = 5 * time.Minute
	defaultHistory = 10
)

// Digest identifies what is wanted of the cluster: the chart's content, the values, the
// labels, the patches. Options that only say how to get there do not change it.
func (w Wanted) Digest() string {
	said := []any{w.Chart.Digest(), w.Values.Digest(), w.ObjectLabels, w.labels()}
	if up := w.Options.Upgrade; up.ReuseValues || up.ResetThenReuseValues {
		said = append(said, up.ReuseValues, up.ResetThenReuseValues)
	}
	if len(w.Patches) > 0 {
		said = append(said, w.Patches)
	}
	// Strings, and maps and structs of them, always encode.
	data, _ := json.Marshal(said)
	sum := sha256.Sum256(data)
	// A label holds 63 characters at most; half the digest is enough to tell two wishes apart.
	return hex.EncodeToString(sum[:16])
}

func (w Wanted) key() key { return key{w.Namespace, w.Name} }

func (o Options) timeout() time.Duration { return orDefault(o.Timeout) }

func (o RemoveOptions) timeout() time.Duration { return orDefault(o.Timeout) }

func orDefault(d time.Duration) time.Duration {
	if d <= 0 {
		return defaultTimeout
	}
	return d
}

func (o Options) maxHistory() int {
	switch {
	case o.MaxHistory == 0:
		return defaultHistory
	case o.MaxHistory < 0:
		return 0
	}
	return o.MaxHistory
}

// labels are those that the user and the owner want on the record.
func (w Wanted) labels() map[string]string {
	if w.Owner == (Owner{}) {
		return w.Options.Labels
	}
	labels := map[string]string{}
	maps.Copy(labels, w.Options.Labels)
	labels[w.Owner.Label] = w.Owner.Value
	return labels
}

// recordLabels are the labels of the new record. Helm carries the labels of the revision
// before over to the next, so that a label which is no longer wanted has to be taken away
// with its word for that, "null".
func (w Wanted) recordLabels(before map[string]string) map[string]string {
	labels := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		labels[name] = "null"
	}
	if before != nil {
		// What is made again may stand on another revision than the last, with these on it.
		labels[WholeLabel], labels[RevisionLabel] = "null", "null"
	}
	maps.Copy(labels, w.labels())
	labels[DigestLabel] = w.Digest()
	return labels
}
