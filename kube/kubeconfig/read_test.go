package kubeconfig_test

import (
	"errors"
	"strings"
	"testing"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubeconfig"
)

const good = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443"CLUSTER}}]
users: [{name: u, user: {USER}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

func with(cluster, user string) string {
	return strings.NewReplacer("CLUSTER", cluster, "USER", user).Replace(good)
}

func TestRead(t *testing.T) {
	config, err := kubeconfig.Read([]byte(with("", "token: abc")))
	if err != nil || config.Host != "https://10.0.0.1:6443" || config.BearerToken != "abc" {
		t.Fatalf("Read = %+v, %v", config, err)
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct{ name, why, text, says string }{
		{"Empty", "An empty key in a Secret is a common slip.", " \n", "is empty"},
		{"Text", "Anything may be in a Secret.", "hello", "this is no kubeconfig: it has no clusters"},
		{"NotYAML", "Half of a file as well.", "a: [", "is not YAML"},
		{"WrongType", "A field that is not what it should be is named.", strings.Replace(with("", "token: a"), "current-context: x", "current-context: true", 1), "current-context"},
		{"NoContext", "kubectl would guess; we do not.", strings.Replace(with("", "token: a"), "current-context: x", "", 1), "has no current-context"},
		{"WrongContext", "The name that leads nowhere is quoted.", strings.Replace(with("", "token: a"), "current-context: x", "current-context: other", 1), `no context "other"`},
		{"NoUser", "Without a user nobody is let in.", strings.Replace(with("", "token: a"), "name: u, user", "name: v, user", 1), `no user "u"`},
		{"NoServer", "There is nowhere to go.", strings.Replace(with("", "token: a"), `"https://10.0.0.1:6443"`, `""`, 1), "has no server"},
		{"Exec", "The program would run beside the management plane.", with("", `exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, interactiveMode: Never}`), "exec runs the program /bin/sh"},
		{"TokenFile", "The plane's own token would be sent to whoever wrote the kubeconfig.", with("", "tokenFile: /var/run/secrets/token"), "tokenFile names the file /var/run/secrets/token"},
		{"Files", "The files are on the author's computer. All of them are named at once.", with(", certificate-authority: /a/ca.crt", "client-certificate: /a/c.crt, client-key: /a/c.key"), "certificate-authority names the file /a/ca.crt, client-certificate names the file /a/c.crt, client-key names"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			config, err := kubeconfig.Read([]byte(tc.text))
			if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s\nRead = %+v, %v; want ErrInvalid that says %q", tc.why, config, err, tc.says)
			}
		})
	}
}
