package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico.dev/portico/api/config/v1alpha1"
)

func TestAuthentication(t *testing.T) {
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
	const health = "anonymous:\n  conditions:\n  - path: /healthz\n  - path: /livez\n  - path: /readyz\n  enabled: true\napiVersion: apiserver.config.k8s.io/v1\n"
	for _, tc := range []struct {
		name, why, given string
		want             string // what the API server reads
		asGiven          bool   // it reads the user's file itself, and follows its changes
		says             string // of the error
	}{
		{"None", "Strangers may ask for health.", "", health + "kind: AuthenticationConfiguration\n", false, ""},
		{"Open", "A document about tokens alone says nothing of strangers, and must not let them in.",
			head + "jwt: []\n", health + "jwt: []\nkind: AuthenticationConfiguration\n", false, ""},
		{"Closed", "Who says something of strangers is taken at their word.",
			head + "anonymous: {enabled: false}\n", head + "anonymous: {enabled: false}\n", true, ""},
		{"Null", "Null is nothing said.", head + "anonymous: null\n", health + "kind: AuthenticationConfiguration\n", false, ""},
		{"Twice", "Of two values one would be lost in the copy.", head + "jwt: []\njwt: []\n", "", false, "already set"},
		{"NoDocument", "It is named as the user wrote it.", "- x\n", "", false, "reading apiServer.authenticationConfigFile"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := v1alpha1.ControlPlaneConfiguration{Dir: t.TempDir()}
			if tc.given != "" {
				c.APIServer.AuthenticationConfigFile = filepath.Join(t.TempDir(), "given.yaml")
				if err := os.WriteFile(c.APIServer.AuthenticationConfigFile, []byte(tc.given), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			file, err := authentication(c)
			if tc.says != "" {
				if err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s\nerror %v, want %q", tc.why, err, tc.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(file)
			if err != nil || string(text) != tc.want || (file == c.APIServer.AuthenticationConfigFile) != tc.asGiven {
				t.Errorf("%s\n%s, %v:\n%s\nwant:\n%s", tc.why, file, err, text, tc.want)
			}
		})
	}
}
