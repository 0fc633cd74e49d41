package helm

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/release/common"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rec := func(revision int, status common.Status, digest string) record {
		return record{revision: revision, status: status, digest: digest, begun: now.Add(-time.Minute)}
	}
	const deployed, failed, superseded = common.StatusDeployed, common.StatusFailed, common.StatusSuperseded
	const installing, upgrading = common.StatusPendingInstall, common.StatusPendingUpgrade
	tests := []struct {
		name, why string
		records   []record
		retry     bool
		patience  time.Duration
		want      plan
	}{
		{name: "Absent", why: "What is not there is installed.", want: plan{do: install}},
		{name: "Same", why: "Equal digest, deployed: nothing is written.",
			records: []record{rec(1, deployed, "want")}, want: plan{do: keep}},
		{name: "SameRetry", why: "A retry is for failures.",
			records: []record{rec(1, deployed, "want")}, retry: true, want: plan{do: keep}},
		{name: "Other", why: "Another digest is an upgrade.",
			records: []record{rec(1, deployed, "old")}, want: plan{do: upgrade}},
		{name: "Foreign", why: "A release of the helm command has no digest: it may be anything.",
			records: []record{rec(1, deployed, "")}, want: plan{do: upgrade}},
		{name: "CrashedInstall", why: "An unfinished first revision is made again, as the first.",
			records: []record{rec(1, installing, "want")}, want: plan{do: install, redo: []int{1}}},
		{name: "CrashedUpgrade", why: "An unfinished upgrade is made again under its number, even back to what stood before: it may have changed half of the objects.",
			records: []record{rec(1, deployed, "want"), rec(2, upgrading, "other")}, want: plan{do: upgrade, redo: []int{2}}},
		{name: "CrashedAtTheEnd", why: "The old revision is superseded before the new one is called deployed.",
			records: []record{rec(1, superseded, "old"), rec(2, upgrading, "want")}, want: plan{do: upgrade, redo: []int{2}}},
		{name: "CrashedReinstall", why: "After a failed install, an unfinished one is still an install.",
			records: []record{rec(1, failed, "old"), rec(2, installing, "want")}, want: plan{do: install, redo: []int{2}}},
		{name: "AnotherWriter", why: "The helm command is at work: we do not disturb it.",
			records: []record{rec(1, deployed, ""), rec(2, upgrading, "")}, patience: time.Hour, want: plan{do: yield}},
		{name: "AnotherWriterGone", why: "Nobody works on a release for so long.",
			records: []record{rec(1, deployed, ""), rec(2, upgrading, "")}, patience: time.Second, want: plan{do: upgrade, redo: []int{2}}},
		{name: "Failed", why: "The same would fail again.",
			records: []record{rec(1, failed, "want")}, want: plan{do: keep}},
		{name: "FailedRetry", why: "Unless the caller says that it is time. A release that never stood is installed.",
			records: []record{rec(1, failed, "want")}, retry: true, want: plan{do: install, redo: []int{1}}},
		{name: "FailedOther", why: "Another wish is a reason to try.",
			records: []record{rec(1, failed, "old")}, want: plan{do: install, redo: []int{1}}},
		{name: "FailedUpgradeRetry", why: "The failed revision is made again, not followed by another.",
			records: []record{rec(1, deployed, "old"), rec(2, failed, "want")}, retry: true, want: plan{do: upgrade, redo: []int{2}}},
		{name: "RolledBack", why: "An older revision stands, since the wanted one failed: that is a failure, too.",
			records: []record{rec(1, superseded, "old"), rec(2, failed, "want"), rec(3, deployed, "old")}, want: plan{do: keep}},
		{name: "RolledBackRetry", why: "The next attempt is a new revision: the rollback stands in between.",
			records: []record{rec(1, superseded, "old"), rec(2, failed, "want"), rec(3, deployed, "old")}, retry: true, want: plan{do: upgrade}},
		{name: "RolledBackOther", why: "Another wish is a reason to try.",
			records: []record{rec(1, superseded, "old"), rec(2, failed, "other"), rec(3, deployed, "old")}, want: plan{do: upgrade}},
		{name: "RolledBackLongAgo", why: "Much has changed since: it may work now.",
			records: []record{rec(2, failed, "want"), rec(3, superseded, "old"), rec(4, deployed, "new")}, want: plan{do: upgrade}},
		{name: "Uninstalling", why: "A removal that was broken off is finished first.",
			records: []record{rec(1, common.StatusUninstalling, "want")}, want: plan{do: reinstall}},
		{name: "Uninstalled", why: "Kept records do not keep it from coming back.",
			records: []record{rec(1, common.StatusUninstalled, "want")}, want: plan{do: install}},
		{name: "Unknown", why: "Whatever Helm means, applying is the way to be sure.",
			records: []record{rec(1, common.StatusUnknown, "want")}, want: plan{do: upgrade}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := decide(tc.records, ask{digest: "want", retry: tc.retry, now: now, patience: tc.patience})
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(plan{})); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}
