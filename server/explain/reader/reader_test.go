package reader

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"portico.dev/portico/fleet"
)

func TestProblem(t *testing.T) {
	tests := []struct {
		name, reason string
		err          error
		want         string
	}{
		{"Silent", "How long we waited is part of the fact.", fmt.Errorf("listing: %w", context.DeadlineExceeded), "it does not answer within 3s"},
		{"SilentRequest", "A request that timed out by itself is the same.", &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api", Err: context.DeadlineExceeded}, "it does not answer within 3s"},
		{"Refused", "The address of the request says nothing to the reader.", &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api", Err: errors.New("connection refused")}, "it does not answer: connection refused"},
		{"NoKubeconfig", "Names of kinds of errors are for programs.", fmt.Errorf("reaching cluster a/b: %w: there is no Secret", fleet.ErrNotYet), "reaching cluster a/b: there is no Secret"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := problem(tc.err); got != tc.want {
				t.Errorf("problem() = %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}
