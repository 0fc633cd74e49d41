package credential_test

import (
	"strings"
	"testing"
	"time"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/credential"
)

func TestStatus(t *testing.T) {
	secret := &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: "kcm-system", Name: "edge"}
	tests := []struct {
		name, why, region, says string
		ref                     *kcm.ObjectReference
		saw                     credential.Observed
		ready                   bool
	}{
		{name: "Exists", why: "The identity is there, so it can be used.", ref: secret, saw: credential.Observed{Served: true, Exists: true}, ready: true, says: "Secret kcm-system/edge exists"},
		{name: "Missing", why: "The user has to create it, and must know which object.", ref: secret, saw: credential.Observed{Served: true}, says: "Secret kcm-system/edge (spec.identityRef) does not exist"},
		{name: "UnknownKind", why: "A provider is missing, not an object.", ref: &kcm.ObjectReference{APIVersion: "x.io/v1", Kind: "AWSIdentity", Name: "a"}, says: "AWSIdentity of x.io/v1 is not known"},
		{name: "Half", why: "Half a reference points nowhere.", ref: &kcm.ObjectReference{Kind: "Secret"}, says: "needs apiVersion, kind and name"},
		{name: "None", why: "An empty reference is no crash.", says: "needs apiVersion, kind and name"},
		{name: "NoRegion", why: "The region decides where to look, so it speaks first.", ref: secret, region: "eu", saw: credential.Observed{Region: &credential.Region{}}, says: `Region "eu" (spec.region) does not exist`},
		{name: "RegionNotReady", why: "What a region says before it is ready cannot be trusted.", ref: secret, region: "eu", saw: credential.Observed{Region: &credential.Region{Exists: true}, Served: true, Exists: true}, says: `Region "eu" is not ready`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := &kcm.Credential{Spec: kcm.CredentialSpec{IdentityRef: tc.ref, Region: tc.region}}
			c.Generation = 3
			got := credential.Status(c, tc.saw, time.Unix(1000, 0))
			if got.Ready != tc.ready || len(got.Conditions) != 1 || !strings.Contains(got.Conditions[0].Message, tc.says) {
				t.Errorf("%s\nStatus = %+v; want ready=%v and a message with %q", tc.why, got, tc.ready, tc.says)
			}
			if got.Conditions[0].ObservedGeneration != 3 {
				t.Errorf("the condition speaks of generation %d, want 3", got.Conditions[0].ObservedGeneration)
			}
		})
	}
}
