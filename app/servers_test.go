package app

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/server/planning"
)

// A token that the API server does not know gets its refusal, one that it knows passes.
func TestKnown(t *testing.T) {
	server := kubetest.Start(t)
	scheme, err := planning.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	if err := authenticationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stranger := rest.AnonymousClientConfig(server.Config)
	stranger.BearerToken = "made-up"
	for _, tc := range []struct {
		name  string
		as    *rest.Config
		known bool
	}{{"Known", server.Config, true}, {"Stranger", stranger, false}} {
		kube, err := client.New(tc.as, client.Options{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		err = known(t.Context(), kube)
		if tc.known && err != nil || !tc.known && !apierrors.IsUnauthorized(err) {
			t.Errorf("%s: got %v; want that it is known: %t", tc.name, err, tc.known)
		}
	}
}
