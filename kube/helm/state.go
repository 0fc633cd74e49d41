package helm

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Status is how a release stands, in one word.
type Status string

// The words, all of them.
const (
	// Absent means that there is no record of the release.
	Absent Status = "Absent"
	// Deployed means that the last revision was applied. Health says whether it runs.
	Deployed Status = "Deployed"
	// Failed means that the last attempt failed; State.Message says why.
	Failed Status = "Failed"
	// Pending means that an attempt has begun and not ended: it is under way, or was
	// broken off by a crash. Apply finishes it.
	Pending Status = "Pending"
	// Uninstalling means that a removal has begun and not ended. Remove finishes it.
	Uninstalling Status = "Uninstalling"
	// Uninstalled means that the objects are gone and the records were kept.
	Uninstalled Status = "Uninstalled"
	// Superseded means that the last revision was replaced and the next one is not there.
	Superseded Status = "Superseded"
	// Unknown means that Helm itself does not know.
	Unknown Status = "Unknown"
)

// State is how a release stands.
type State struct {
	Status   Status
	Revision int
	// Digest is that of the Wanted which the last attempt was for; empty for a release
	// that somebody else made.
	Digest string
	// Chart and ChartVersion are those of the last revision, AppVersion what it installs.
	Chart, ChartVersion, AppVersion string
	// Message are Helm's words about the last revision: a failure's reason, for example.
	Message string
	// Since is when the last revision was begun.
	Since time.Time
}

func statusOf(s common.Status) Status {
	switch s {
	case common.StatusDeployed:
		return Deployed
	case common.StatusFailed:
		return Failed
	case common.StatusPendingInstall, common.StatusPendingUpgrade, common.StatusPendingRollback:
		return Pending
	case common.StatusUninstalling:
		return Uninstalling
	case common.StatusUninstalled:
		return Uninstalled
	case common.StatusSuperseded:
		return Superseded
	}
	return Unknown
}

func stateOf(r *release.Release) State {
	s := State{
		Status:   statusOf(r.Info.Status),
		Revision: r.Version,
		Digest:   digestSaid(r.Labels, r.Version),
		Message:  r.Info.Description,
		Since:    r.Info.LastDeployed,
	}
	if r.Chart != nil && r.Chart.Metadata != nil {
		s.Chart, s.ChartVersion, s.AppVersion = r.Chart.Metadata.Name, r.Chart.Metadata.Version, r.Chart.Metadata.AppVersion
	}
	return s
}

// record is what the labels of a release's Secret say about one revision.
type record struct {
	revision int
	status   common.Status
	digest   string
	begun    time.Time
	labels   map[string]string
	// at is the record's Secret, as it was read.
	at version
}

// version identifies what a Secret holds.
type version struct {
	uid     types.UID
	version string
}

func (r record) pending() bool { return r.status.IsPending() }

// recordsOf reads records from the Secrets' metadata, the oldest revision first. The
// release itself, which may be large, is not fetched for that.
func recordsOf(secrets []metav1.PartialObjectMetadata) []record {
	records := make([]record, 0, len(secrets))
	for _, s := range secrets {
		revision, err := strconv.Atoi(s.Labels["version"])
		if err != nil {
			continue
		}
		records = append(records, record{
			revision: revision,
			status:   common.Status(s.Labels["status"]),
			digest:   digestSaid(s.Labels, revision),
			begun:    latest(s.CreationTimestamp.Time, s.Labels["createdAt"], s.Labels["modifiedAt"]),
			labels:   s.Labels,
			at:       version{s.UID, s.ResourceVersion},
		})
	}
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.revision, b.revision) })
	return records
}

// digestSaid is the digest on the record of a revision; empty if Helm has carried it over from a
// revision of ours to one of somebody else.
func digestSaid(labels map[string]string, revision int) string {
	if of, ok := labels[RevisionLabel]; ok && of != strconv.Itoa(revision) {
		return ""
	}
	return labels[DigestLabel]
}

// takenBy is who has the release, empty unless it is somebody else. Of one that was removed,
// nothing is left to have.
func takenBy(records []record, o Owner) string {
	if o == (Owner{}) || len(records) == 0 {
		return ""
	}
	last := records[len(records)-1]
	if has := last.labels[o.Label]; has != o.Value && last.status != common.StatusUninstalled {
		return has
	}
	return ""
}

func latest(created time.Time, seconds ...string) time.Time {
	last := created
	for _, s := range seconds {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && time.Unix(n, 0).After(last) {
			last = time.Unix(n, 0)
		}
	}
	return last
}
