package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"portico.dev/portico/config"
)

// onlyKubeconfig is a plane that has nothing but a kubeconfig.
type onlyKubeconfig struct {
	Plane
	content []byte
}

func (p onlyKubeconfig) Kubeconfig(context.Context, ClusterRef) ([]byte, error) {
	if p.content == nil {
		return nil, errors.New("there is no management plane")
	}
	return p.content, nil
}

func kubeconfigTo(host, context string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":%[2]q,"clusters":[{"name":"c","cluster":{"server":"https://%[1]s"}}],"users":[{"name":"u","user":{}}],"contexts":[{"name":%[2]q,"context":{"cluster":"c","user":"u"}}]}`, host, context)
}

func TestRestConfig(t *testing.T) {
	plane, named, users := kubeconfigTo("plane", "portico"), kubeconfigTo("named", "named"), kubeconfigTo("users", "users")
	tests := []struct {
		name, reason  string
		data          bool
		flag, context string
		environment   bool
		want          string
	}{
		{"Plane", "The plane of the data folder is what all commands mean.", true, "", "", false, "https://plane"},
		{"PlaneBeforeEnvironment", "A kubeconfig of something else must not turn a delete to another cluster.", true, "", "", true, "https://plane"},
		{"Flag", "What is named is meant.", true, "named", "", true, "https://named"},
		{"Context", "A context is one of the user's kubeconfig.", true, "", "users", true, "https://users"},
		{"Environment", "Without a data folder there is no plane here.", false, "", "", true, "https://users"},
		{"Nothing", "The plane says what to do.", false, "", "", false, ""},
		{"NoSuchContext", "A context that there is not is an error, not another cluster.", true, "", "other", true, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name string, content []byte) string {
				file := filepath.Join(dir, name)
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
				return file
			}
			s := &session{data: filepath.Join(dir, "none"), context: tc.context}
			content := []byte(nil)
			if tc.data {
				s.data, content = dir, plane
			}
			if tc.flag != "" {
				s.kubeconfig = write("named", named)
			}
			if tc.environment {
				t.Setenv("KUBECONFIG", write("users", users)) // client-go reads it by itself
			}
			s.Getenv = os.Getenv
			s.Plane = func(config.Config) Plane { return onlyKubeconfig{content: content} }
			got, err := s.restConfig(t.Context())
			switch {
			case tc.want == "" && err == nil:
				t.Errorf("restConfig() leads to %s, want an error: %s", got.Host, tc.reason)
			case tc.want != "" && err != nil:
				t.Errorf("restConfig() = %v: %s", err, tc.reason)
			case tc.want != "" && got.Host != tc.want:
				t.Errorf("restConfig() leads to %s, want %s: %s", got.Host, tc.want, tc.reason)
			}
		})
	}
}
