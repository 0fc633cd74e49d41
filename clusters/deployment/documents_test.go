package deployment

import (
	"strings"
	"testing"
	"time"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/pki"
)

func TestAuthenticationDocument(t *testing.T) {
	authority, err := pki.NewAuthority("test", time.Hour, time.Now())
	must(t, err)
	prefix := "oidc:"
	spec := kcm.AuthenticationConfiguration{JWT: []kcm.JWTAuthenticator{{
		Issuer:        kcm.Issuer{URL: "https://issuer.example", Audiences: []string{"portico"}},
		ClaimMappings: kcm.ClaimMappings{Username: kcm.PrefixedClaimOrExpression{Claim: "sub", Prefix: &prefix}},
	}}}
	tests := []struct{ name, why, ca, problem, text string }{
		{name: "None", why: "Without an authority the system's are believed.", text: "url: https://issuer.example"},
		{name: "Good", why: "The authority is that of every issuer.", ca: string(authority.CertificatePEM()), text: "certificateAuthority: |"},
		{name: "NoCertificate", why: "The API server would not start with it, so it never gets there.", ca: "not a certificate",
			problem: "spec.authenticationConfiguration.jwt[0].issuer.certificateAuthority"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := authenticationDocument(spec, tc.ca)
			must(t, err)
			if !strings.Contains(doc.Problem, tc.problem) || (doc.Problem == "") != (tc.problem == "") || !strings.Contains(doc.Text, tc.text) || (doc.Text == "") != (tc.text == "") {
				t.Errorf("%s\ngot the problem %q and the text\n%s", tc.why, doc.Problem, doc.Text)
			}
		})
	}
}
