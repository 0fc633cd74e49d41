package remote_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/rest"

	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/remote"
)

// A cluster that does not accept our credentials any more is lost to us, although it answers.
func TestDeadCredentials(t *testing.T) {
	api := kubetest.Start(t)
	dead := rest.AnonymousClientConfig(api.Config)
	dead.BearerToken = "revoked"
	poor := rest.CopyConfig(api.Config)
	poor.Impersonate.UserName = "nobody"
	for _, tc := range []struct {
		name, words string
		config      *rest.Config
	}{{"Unauthorized", "provide credentials", dead}, {"Forbidden", "forbidden", poor}} {
		t.Run(tc.name, func(t *testing.T) {
			cluster, err := remote.New(nil, tc.config, slog.New(slog.DiscardHandler)).Own()
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			defer stop()
			var said error
			kinds := remote.NewKinds(appsv1.SchemeGroupVersion.WithKind("Deployment"))
			cluster.WatchObjects(ctx, kinds, func(remote.Moved) {}, func(err error) {
				said = err
				stop()
			})
			if said == nil || !strings.Contains(said.Error(), tc.words) {
				t.Errorf("lost said %v, want %q", said, tc.words)
			}
		})
	}
}
