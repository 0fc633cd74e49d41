package helm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	ri "helm.sh/helm/v4/pkg/release"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// store keeps a release's records as Helm does, in Secrets, but for one thing: revisions
// that are to be made again are not seen by Helm, and the first record that it creates
// takes their place. So an unfinished revision is known until the moment in which it is
// under way once more.
type store struct {
	driver.Driver
	// redo are the revisions to make again, the lowest first.
	redo []int
	// room makes the namespace if a record cannot be created since there is none; nil if it is
	// not ours to make.
	room func() error
	// clear is called before a record is created, with the records that it replaces.
	clear func(next *release.Release, replaced, kept []*release.Release) error

	// before is called ahead of every record that is written, with what it is going to say. If it
	// fails, the record is not written: the work that it stands for is not done.
	before func(next *release.Release) error
	// failed is the first failure of before. Helm only logs it when an install ends.
	failed error
	// stood is the last revision that stood before the action: what a rollback goes back to.
	stood int
	// top is the highest revision that was seen or made.
	top int
	// manifests says that a chart was seen which was made of manifests.
	manifests bool

	hidden, seen []*release.Release
	// read says that hidden and seen are what the cluster has: nothing was written since they
	// were read. Helm asks several times, and nobody else works on the release; who does in
	// spite of that makes a record of the same name, and one of the two is refused.
	read bool
}

func (s *store) ask(next *release.Release) error {
	if s.before == nil {
		return nil
	}
	err := s.before(next)
	if s.failed == nil {
		s.failed = err
	}
	return err
}

// vouch notes on a new record of ours for which revision its digest was written. Helm makes the
// labels of a rollback of those of the revision that it goes back to: where that one is somebody
// else's, the digest goes on being that of another revision.
func (s *store) vouch(next *release.Release) {
	of, carried := next.Labels[RevisionLabel]
	if next.Labels[DigestLabel] == "" || carried && of != strconv.Itoa(s.stood) {
		return
	}
	next.Labels = maps.Clone(next.Labels) // a rollback shares them with the other revision
	next.Labels[RevisionLabel] = strconv.Itoa(next.Version)
}

// Update implements driver.Updator.
func (s *store) Update(key string, rel ri.Releaser) error {
	if next, ok := rel.(*release.Release); ok {
		if err := s.ask(next); err != nil {
			return err
		}
	}
	s.read = false
	return s.Driver.Update(key, rel)
}

// Delete implements driver.Deletor.
func (s *store) Delete(key string) (ri.Releaser, error) {
	s.read = false
	return s.Driver.Delete(key)
}

// Query implements driver.Queryor.
func (s *store) Query(labels map[string]string) ([]ri.Releaser, error) {
	if err := s.load(labels["name"]); err != nil {
		return nil, err
	}
	var out []ri.Releaser
	for _, r := range s.seen {
		if status := labels["status"]; status == "" || status == r.Labels["status"] {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, driver.ErrReleaseNotFound
	}
	return out, nil
}

func (s *store) load(name string) error {
	if s.read {
		return nil
	}
	list, err := s.Driver.Query(map[string]string{"owner": "helm", "name": name})
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return err
	}
	releases, err := releasesOf(list)
	if err != nil {
		return err
	}
	s.hidden, s.seen, s.read = nil, nil, true
	for _, r := range releases {
		s.manifests = s.manifests || ofManifests(r.Chart)
		if slices.Contains(s.redo, r.Version) {
			s.hidden = append(s.hidden, r)
			continue
		}
		s.top = max(s.top, r.Version)
		s.seen = append(s.seen, r)
	}
	return nil
}

// Create implements driver.Creator.
func (s *store) Create(key string, rel ri.Releaser) error {
	next, ok := rel.(*release.Release)
	if !ok {
		return fmt.Errorf("recording a release: expected a release of version 1, got %T", rel)
	}
	s.top = max(s.top, next.Version)
	s.vouch(next)
	if err := s.ask(next); err != nil {
		return err
	}
	s.read = false
	if len(s.redo) == 0 {
		return s.create(key, rel)
	}
	if err := s.clear(next, s.hidden, s.seen); err != nil {
		return err
	}
	record := s.create
	if slices.Contains(s.redo, next.Version) {
		record = s.Driver.Update
	}
	if err := record(key, rel); err != nil {
		return err
	}
	for _, r := range s.hidden {
		if r.Version == next.Version {
			continue
		}
		if _, err := s.Driver.Delete(recordName(r.Name, r.Version)); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
			return fmt.Errorf("removing the record of revision %d: %w", r.Version, err)
		}
	}
	// From here on, Helm has to see all that it makes: a rollback, for example.
	s.redo = nil
	return nil
}

// create makes room where there is none.
func (s *store) create(key string, rel ri.Releaser) error {
	err := s.Driver.Create(key, rel)
	if s.room == nil || !apierrors.IsNotFound(err) {
		return err
	}
	if err := s.room(); err != nil {
		return err
	}
	return s.Driver.Create(key, rel)
}

func releasesOf(list []ri.Releaser) ([]*release.Release, error) {
	out := make([]*release.Release, 0, len(list))
	for _, item := range list {
		r, ok := item.(*release.Release)
		if !ok {
			return nil, fmt.Errorf("reading a release's record: expected version 1, got %T", item)
		}
		out = append(out, r)
	}
	return out, nil
}

// recordName is the name of the Secret that holds a revision.
func recordName(name string, revision int) string {
	return fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, revision)
}
