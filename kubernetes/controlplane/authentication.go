package controlplane

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/api/config/v1alpha1"
	"portico.dev/portico/pki"
)

// strangers is what those without a certificate or a token may ask: how the server is. A prober
// has no identity yet.
func strangers() map[string]any {
	var paths []any
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		paths = append(paths, map[string]any{"path": path})
	}
	return map[string]any{"enabled": true, "conditions": paths}
}

// authentication returns the file with the AuthenticationConfiguration of the API server. The user's
// own is taken as it is if it says what strangers may do. Left open, upstream would let them ask
// everything, so then the answer is ours, in a copy.
func authentication(c v1alpha1.ControlPlaneConfiguration) (string, error) {
	document := map[string]any{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
	if given := c.APIServer.AuthenticationConfigFile; given != "" {
		text, err := os.ReadFile(given)
		if err != nil {
			return "", fmt.Errorf("reading apiServer.authenticationConfigFile: %w", err)
		}
		document = map[string]any{}
		if err := yaml.UnmarshalStrict(text, &document); err != nil {
			return "", fmt.Errorf("reading apiServer.authenticationConfigFile %s: %w", given, err)
		}
		if document["anonymous"] != nil {
			return given, nil
		}
	}
	document["anonymous"] = strangers()
	text, err := yaml.Marshal(document)
	if err != nil {
		return "", fmt.Errorf("writing the authentication of the API server: %w", err)
	}
	file := layout(c.Dir).authentication()
	return file, pki.WriteFile(file, text)
}
