package cli

import (
	"errors"
	"io"
	"net/url"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestPassing(t *testing.T) {
	clusters := schema.GroupResource{Group: "k0rdent.mirantis.com", Resource: "clusterdeployments"}
	tests := []struct {
		reason string
		err    error
		want   bool
	}{
		{"Nobody listens: the server is being started again.", &url.Error{Op: "Get", URL: "https://127.0.0.1:7443", Err: errors.New("connection refused")}, true},
		{"The connection ended in the middle of an answer.", io.ErrUnexpectedEOF, true},
		{"A server that begins is not ready for everything.", apierrors.NewServiceUnavailable("starting"), true},
		{"Its database is not there yet.", apierrors.NewInternalError(errors.New("etcdserver: no leader")), true},
		{"It asks to come back later.", apierrors.NewTooManyRequests("storage is (re)initializing", 1), true},
		{"What was watched from is forgotten: a new list helps.", apierrors.NewResourceExpired("too old resource version"), true},
		{"A right that is missing will not come by waiting.", apierrors.NewForbidden(clusters, "demo", errors.New("no")), false},
		{"Nor will a sign-in.", apierrors.NewUnauthorized("expired"), false},
	}
	for _, tc := range tests {
		if got := passing(tc.err); got != tc.want {
			t.Errorf("%s\npassing(%v) = %t, want %t", tc.reason, tc.err, got, tc.want)
		}
	}
}
