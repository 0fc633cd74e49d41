package helm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/kube/manifest"
)

// Selector chooses objects of a release.
type Selector = manifest.Selector

// Patch changes objects of a release before they are applied.
type Patch = manifest.Patch

// IgnoreDrift is the annotation of an object whose drift is nobody's concern, whatever its
// value.
const IgnoreDrift = "projectsveltos.io/driftDetectionIgnore"

// Object names an object of a release.
type Object struct {
	schema.GroupVersionKind
	// Namespace is empty for an object of the whole cluster.
	Namespace, Name string
}

// Exclusion are fields whose drift is nobody's concern.
type Exclusion struct {
	// Paths are JSON pointers, "/spec/replicas" for example, that stand for all below them.
	Paths []string
	// Target chooses the objects that this is about; nil means all.
	Target *Selector
}

// DriftOptions say which drift counts.
type DriftOptions struct {
	// Ignore chooses objects that are left alone.
	Ignore []Selector
	// Exclude are fields that are left alone.
	Exclude []Exclusion
	// Only are the objects to look at, their versions aside; none means all of the release's.
	Only []Object
	// Owner is who asks: the release of another has no drift for them. The zero value is
	// nobody, who may ask for any.
	Owner Owner
	// Saw is told of each object that was compared, as it was then; nil is nobody.
	Saw func(Seen)
}

// Difference is an object that is not as its release says.
type Difference struct {
	// Object is "Kind namespace/name", or "Kind name" where there is no namespace.
	Object string
	// Fields are JSON pointers of what differs, sorted, never values. None means that the object
	// is not there.
	Fields []string
}

// Drift says which objects of a release that is deployed are not as its last revision says,
// sorted by object. What the cluster adds by itself (defaults, statuses, what other writers own)
// is no difference, and neither is another way to write the same value, another order of a list
// whose items have names, or a finished Job that was removed as it asks to be. An object that is
// being deleted counts once it is gone; one that another release has made its own is no longer
// looked at. A release that is not there, or whose last revision is not Deployed, has no drift.
//
// An object is read once. Only if others than Helm own what the release has applied, the cluster
// is asked what applying it again would make of it, without doing so.
func (r *Releases) Drift(ctx context.Context, namespace, name string, o DriftOptions) ([]Difference, error) {
	k := key{namespace, name}
	found, err := r.drift(ctx, k, o)
	if err != nil {
		return nil, fmt.Errorf("comparing release %s with the cluster: %w", k, classify(err))
	}
	if len(found.objects) == 0 {
		return nil, nil
	}
	// What was seen could be the work of an upgrade that has begun meanwhile.
	records, err := r.records(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	if n := len(records); n == 0 || records[n-1].revision != found.revision || records[n-1].status != rcommon.StatusDeployed {
		return nil, nil
	}
	return differences(found.objects), nil
}

// Mend brings what Drift would tell back to what the release says, and returns what it has
// mended. It touches just these objects, makes no revision, and leaves excluded fields as they
// are. What was mended is told together with an error, too. The error wraps fleet.ErrInvalid
// when an object differs in a field that cannot be changed.
func (r *Releases) Mend(ctx context.Context, namespace, name string, o DriftOptions) ([]Difference, error) {
	k := key{namespace, name}
	unlock, err := r.lock(ctx, k)
	if err != nil {
		return nil, err
	}
	defer unlock()
	found, err := r.drift(ctx, k, o)
	if err != nil {
		return nil, fmt.Errorf("comparing release %s with the cluster: %w", k, classify(err))
	}
	var mended []drifted
	var failures []error
	for _, d := range found.objects {
		if err := found.with.mend(ctx, d); err != nil {
			failures = append(failures, fmt.Errorf("mending %s: %w", d.name, classify(err)))
			continue
		}
		mended = append(mended, d)
	}
	if len(failures) > 0 {
		return differences(mended), fmt.Errorf("mending release %s: %w", k, errors.Join(failures...))
	}
	return differences(mended), nil
}

// Kinds lists the kinds of the objects in a release's last revision, sorted. A release that
// is not there has none.
func (r *Releases) Kinds(ctx context.Context, namespace, name string) ([]schema.GroupVersionKind, error) {
	k := key{namespace, name}
	objects, err := r.lastObjects(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	return kindsOf(objects), nil
}

func kindsOf(objects []Object) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, o := range objects {
		kinds = append(kinds, o.GroupVersionKind)
	}
	slices.SortFunc(kinds, func(a, b schema.GroupVersionKind) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(kinds)
}

// drift is what was found to differ.
type drift struct {
	revision int
	with     *comparison
	objects  []drifted
}

// drift compares what was deployed with the cluster.
func (r *Releases) drift(ctx context.Context, k key, o DriftOptions) (drift, error) {
	last, err := r.deployed(ctx, k, o.Owner)
	if err != nil || last == nil {
		return drift{}, err
	}
	objects, err := appliedBy(last)
	if err != nil {
		return drift{}, err
	}
	c, err := r.comparison(ctx, k, o)
	if err != nil {
		return drift{}, err
	}
	found := drift{revision: last.Version, with: c}
	for _, object := range objects {
		d, differs, err := c.look(ctx, object)
		if err != nil {
			return drift{}, fmt.Errorf("looking at %s: %w", d.name, err)
		}
		if differs {
			found.objects = append(found.objects, d)
		}
	}
	return found, nil
}

// deployed returns the last revision, if it is deployed and not another owner's.
func (r *Releases) deployed(ctx context.Context, k key, o Owner) (*release.Release, error) {
	records, err := r.records(ctx, k)
	if err != nil || len(records) == 0 || takenBy(records, o) != "" {
		return nil, err
	}
	last := records[len(records)-1]
	if last.status != rcommon.StatusDeployed {
		return nil, nil
	}
	found, err := r.revision(ctx, k, last.revision)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	return found, err
}

func differences(found []drifted) []Difference {
	var all []Difference
	for _, d := range found {
		all = append(all, Difference{Object: d.name, Fields: d.fields})
	}
	slices.SortFunc(all, func(a, b Difference) int { return cmp.Compare(a.Object, b.Object) })
	return all
}
