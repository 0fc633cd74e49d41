package kubeconfig

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
)

// Read returns how to reach the cluster of a kubeconfig's current context. What cannot be used
// is fleet.ErrInvalid, in words that name the field and what to write instead.
func Read(data []byte) (*rest.Config, error) {
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil, invalid("the kubeconfig is empty")
	}
	var content any
	if err := yaml.Unmarshal(data, &content); err != nil {
		return nil, invalid("the kubeconfig is not YAML: %v", err)
	}
	if fields, ok := content.(map[string]any); !ok || fields["clusters"] == nil {
		return nil, invalid("this is no kubeconfig: it has no clusters")
	}
	file, err := clientcmd.Load(data)
	if err != nil {
		return nil, invalid("the kubeconfig cannot be read: %v", err)
	}
	current, err := currentOf(file)
	if err != nil {
		return nil, err
	}
	if foreign := current.foreign(); len(foreign) > 0 {
		return nil, invalid("the kubeconfig leads out of itself: %s: put the certificates, keys or tokens themselves into it (kubectl config view --flatten --minify --raw)", strings.Join(foreign, ", "))
	}
	config, err := clientcmd.NewDefaultClientConfig(*file, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, invalid("the kubeconfig cannot be used: %v", err)
	}
	config.UserAgent = "portico"
	return config, nil
}

// current is what the current context of a kubeconfig leads to.
type current struct {
	cluster *clientcmdapi.Cluster
	user    *clientcmdapi.AuthInfo
}

func currentOf(file *clientcmdapi.Config) (current, error) {
	name := file.CurrentContext
	if name == "" {
		return current{}, invalid("the kubeconfig has no current-context: name one of its contexts there")
	}
	context := file.Contexts[name]
	if context == nil {
		return current{}, invalid("the kubeconfig has no context %q, which its current-context names", name)
	}
	cluster := file.Clusters[context.Cluster]
	switch {
	case cluster == nil:
		return current{}, invalid("the kubeconfig has no cluster %q, which its context %q names", context.Cluster, name)
	case cluster.Server == "":
		return current{}, invalid("the cluster %q of the kubeconfig has no server: write the URL of the API server there", context.Cluster)
	}
	user := file.AuthInfos[context.AuthInfo]
	if user == nil {
		return current{}, invalid("the kubeconfig has no user %q, which its context %q names", context.AuthInfo, name)
	}
	return current{cluster, user}, nil
}

// foreign are the fields that would have programs run or files read.
func (c current) foreign() []string {
	var out []string
	for field, value := range map[string]string{
		"certificate-authority": c.cluster.CertificateAuthority,
		"client-certificate":    c.user.ClientCertificate,
		"client-key":            c.user.ClientKey,
		"tokenFile":             c.user.TokenFile,
	} {
		if value != "" {
			out = append(out, fmt.Sprintf("%s names the file %s", field, value))
		}
	}
	if c.user.Exec != nil {
		out = append(out, fmt.Sprintf("exec runs the program %s", c.user.Exec.Command))
	}
	if c.user.AuthProvider != nil {
		out = append(out, fmt.Sprintf("auth-provider is %s", c.user.AuthProvider.Name))
	}
	slices.Sort(out)
	return out
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", fleet.ErrInvalid, fmt.Sprintf(format, args...))
}
