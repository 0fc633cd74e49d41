package controlplane_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A check says what a start would say, while another control plane has the port.
func TestCheck(t *testing.T) {
	for _, r := range []struct {
		name, why, more string
		files           map[string]string // beside the configuration; %[1]s in more is their folder
		says            string            // empty: the configuration is good
	}{
		{"Good", "All that can be given, and nothing wrong with it.",
			"apiServer: {audit: {policyFile: %[1]s/audit}, encryptionConfigFile: %[1]s/encryption, authenticationConfigFile: %[1]s/jwt}\n",
			map[string]string{"audit": auditPolicy, "encryption": encryption, "jwt": jwt}, ""},
		{"Version", "The program is another one.", "kubernetesVersion: v1.2.3\n", nil, "the configuration wants kubernetesVersion v1.2.3"},
		{"Flag", "An unknown flag of the API server.", "apiServer: {extraArgs: {no-such-flag: x}}\n", nil, "checking kube-apiserver: unknown flag: --no-such-flag"},
		{"Value", "A flag that can be parsed and means nothing.", "apiServer: {extraArgs: {enable-admission-plugins: NoSuchPlugin}}\n", nil, `"NoSuchPlugin" is unknown`},
		{"ControllerManager", "Its flags are read later than those of the API server.", "controllerManager: {extraArgs: {concurrent-gc-syncs: x}}\n", nil, "checking kube-controller-manager: invalid argument"},
		{"Controller", "What can be read is judged, too.", "controllerManager: {controllers: [no-such-controller]}\n", nil, `"no-such-controller" is not in the list of known controllers`},
		{"Audit", "A policy with a level that does not exist.", "apiServer: {audit: {policyFile: %[1]s/audit}}\n",
			map[string]string{"audit": strings.Replace(auditPolicy, "RequestResponse", "Everything", 1)}, "Everything"},
		{"Encryption", "A key that is none.", "apiServer: {encryptionConfigFile: %[1]s/encryption}\n",
			map[string]string{"encryption": strings.Replace(encryption, "MDEy", "", 1)}, "secret"},
		{"Authentication", "An issuer without a secure address.", "apiServer: {authenticationConfigFile: %[1]s/jwt}\n",
			map[string]string{"jwt": strings.Replace(jwt, "https:", "http:", 1)}, "jwt[0].issuer.url"},
	} {
		t.Run(r.name, func(t *testing.T) {
			files := t.TempDir()
			for name, content := range r.files {
				write(t, filepath.Join(files, name), content)
			}
			more := r.more
			if r.files != nil {
				more = fmt.Sprintf(more, files)
			}
			c := newControlPlane(t, more)
			c.args = []string{"--check"}
			takePort(t, c)
			code, out := c.run(t)
			last := said(out)
			if r.says == "" {
				if code != 0 {
					t.Errorf("%s\nexit code %d, it said %q", r.why, code, last)
				}
				return
			}
			if code != 3 || !strings.Contains(last, r.says) {
				t.Errorf("%s\nexit code %d, it said %q, want %q", r.why, code, last, r.says)
			}
		})
	}
}

// said is what the program says itself. Parts of Kubernetes that do not know of its end yet may
// write something after it.
func said(out string) string {
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, "portico-kube controlplane: "); ok {
			return text
		}
	}
	return ""
}
