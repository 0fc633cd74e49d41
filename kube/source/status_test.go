package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// short writes conditions as "Type=Status Reason".
func short(conditions []metav1.Condition) []string {
	var out []string
	for _, c := range conditions {
		out = append(out, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
	}
	return out
}

func TestFacts(t *testing.T) {
	stored := &meta.Artifact{Revision: "1.0.0"}
	refused := failed(sourcev1.AuthenticationFailedReason, "asking", errors.New("no"))
	tests := []struct {
		name, why string
		done      outcome
		want      []string
	}{
		{"Success", "Nothing that failed before is left.", outcome{Artifact: stored, Reason: "Succeeded", Message: "m"},
			[]string{"ArtifactInStorage=True Succeeded", "Ready=True Succeeded"}},
		{"FirstFailure", "There is nothing in storage, and we try again.", outcome{Err: refused},
			[]string{"FetchFailed=True AuthenticationFailed", "Ready=False AuthenticationFailed", "Reconciling=True ProgressingWithRetry"}},
		{"FailureAfterSuccess", "The old artifact can still be used.", outcome{Artifact: stored, Err: refused},
			[]string{"ArtifactInStorage=True Succeeded", "FetchFailed=True AuthenticationFailed", "Ready=False AuthenticationFailed", "Reconciling=True ProgressingWithRetry"}},
		{"Invalid", "Stalled tells the user that nobody tries again.", outcome{Err: unsupported("spec.verify", "x")},
			[]string{"FetchFailed=True InvalidProviderConfiguration", "Ready=False InvalidProviderConfiguration", "Stalled=True InvalidProviderConfiguration"}},
		{"Waiting", "Another object has to be ready first.", outcome{Err: failed(noSourceReason, "source", fleet.ErrNotYet)},
			[]string{"FetchFailed=True NoSourceArtifact", "Ready=False NoSourceArtifact", "Reconciling=True Progressing"}},
		{"Build", "It was fetched, but it is no chart.", outcome{Err: unbuildable(valuesFilesReason, "merging", errors.New("x"))},
			[]string{"BuildFailed=True ValuesFilesError", "Ready=False ValuesFilesError", "Reconciling=True ProgressingWithRetry"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			old := []metav1.Condition{control.True(sourcev1.BuildFailedCondition, "Old", "")}
			got := control.Fold(old, control.Stamp{Now: time.Unix(1, 0), Generation: 1}, facts(old, tc.done)...)
			if diff := cmp.Diff(tc.want, short(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

// Messages must not change from one attempt to the next, or each attempt would write the status.
func TestPlain(t *testing.T) {
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"UnknownHost", &net.OpError{Op: "dial", Err: &net.DNSError{Name: "nowhere.example", IsNotFound: true, Server: "10.0.0.1:53"}}, `unknown host "nowhere.example"`},
		{"Timeout", fmt.Errorf("x: %w", context.DeadlineExceeded), "no answer within the timeout; raise spec.timeout if the server is slow"},
		{"Other", errors.New("as it is"), "as it is"},
		{"NoPortOfOurs", &net.OpError{Op: "read", Source: &net.TCPAddr{Port: 43210}, Addr: at, Err: errors.New("reset")}, "read 127.0.0.1:443: reset"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := plain(tc.err)
			if got.Error() != tc.want {
				t.Errorf("message %q, want %q", got, tc.want)
			}
			if !errors.Is(got, tc.err) {
				t.Error("the error behind the words is lost")
			}
		})
	}
}
