package groups

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// defaultDial is how long a connection may take where a group does not say.
const defaultDial = "5s"

// Alerting is what Promxy's configuration says besides the groups.
type Alerting struct {
	// RemoteWrite is where the results of rules go to; empty for nowhere.
	RemoteWrite string
	// Alertmanager is the host and port that alerts go to; empty for nowhere.
	Alertmanager string
}

type promxyConfig struct {
	Global      map[string]any   `json:"global"`
	RuleFiles   []string         `json:"rule_files,omitempty"`
	Alerting    map[string]any   `json:"alerting,omitempty"`
	RemoteWrite []map[string]any `json:"remote_write,omitempty"`
	Promxy      struct {
		Groups []promxyGroup `json:"server_groups"`
	} `json:"promxy"`
}

type promxyGroup struct {
	Static      []map[string]any  `json:"static_configs"`
	PathPrefix  string            `json:"path_prefix,omitempty"`
	Scheme      string            `json:"scheme,omitempty"`
	HTTPClient  map[string]any    `json:"http_client"`
	Labels      map[string]string `json:"labels"`
	IgnoreError bool              `json:"ignore_error"`
}

// Render is Promxy's configuration for the groups that can be asked. The same groups in any order
// give the same bytes.
func Render(groups []Group, with Alerting) ([]byte, error) {
	var out promxyConfig
	out.Global = map[string]any{"evaluation_interval": "5s", "external_labels": map[string]string{"source": "promxy"}}
	out.RuleFiles = []string{"/etc/promxy/rules/*.yaml"}
	if with.Alertmanager != "" {
		out.Alerting = map[string]any{"alertmanagers": []any{map[string]any{
			"scheme": "http", "static_configs": []any{map[string]any{"targets": []string{with.Alertmanager}}},
		}}}
	}
	if with.RemoteWrite != "" {
		out.RemoteWrite = []map[string]any{{"url": with.RemoteWrite}}
	}
	out.Promxy.Groups = []promxyGroup{}
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, g := range groups {
		if checkAddress(g.Spec) != nil || !g.ready() {
			continue // its status says why
		}
		out.Promxy.Groups = append(out.Promxy.Groups, render(g))
	}
	return yaml.Marshal(out)
}

func render(g Group) promxyGroup {
	dial := g.Spec.HTTPClient.DialTimeout.Duration.String()
	if g.Spec.HTTPClient.DialTimeout.Duration <= 0 {
		dial = defaultDial
	}
	http := map[string]any{"dial_timeout": dial}
	// KOF leaves this out where there is no basic_auth.
	http["tls_config"] = map[string]bool{"insecure_skip_verify": g.Spec.HTTPClient.TLSConfig.InsecureSkipVerify}
	if g.Found {
		http["basic_auth"] = map[string]string{"username": g.Username, "password": g.Password}
	}
	return promxyGroup{
		Static: []map[string]any{{"targets": g.Spec.Targets}}, PathPrefix: g.Spec.PathPrefix, Scheme: g.Spec.Scheme, HTTPClient: http,
		Labels: map[string]string{"promxyCluster": g.Spec.ClusterName, "promxyClusterNamespace": g.Namespace},
		// One region that does not answer must not make the others dumb.
		IgnoreError: true,
	}
}

// ready says whether the credentials are there, or none are needed.
func (g Group) ready() bool {
	return g.Spec.HTTPClient.BasicAuth.CredentialsSecretName == "" || g.Found && g.Username != "" && g.Password != ""
}

func checkAddress(s kof.PromxyServerGroupSpec) error {
	if s.Scheme != "" && s.Scheme != "http" && s.Scheme != "https" {
		return fmt.Errorf("%w: spec.scheme is %q: expected http or https", fleet.ErrInvalid, s.Scheme)
	}
	if len(s.Targets) == 0 {
		return fmt.Errorf("%w: spec.targets is empty: name the store as host:port", fleet.ErrInvalid)
	}
	for _, t := range s.Targets {
		host, port, err := net.SplitHostPort(t)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || perr != nil || n == 0 {
			return fmt.Errorf("%w: spec.targets: %q is no host:port", fleet.ErrInvalid, t)
		}
	}
	return nil
}

func sorted(items []kof.PromxyServerGroup) []kof.PromxyServerGroup {
	slices.SortFunc(items, func(a, b kof.PromxyServerGroup) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return items
}

// twin is the older of two groups with one cluster name in one namespace; empty if there is none.
func twin(g Group, all []Group) string {
	for _, other := range all {
		same := other.Namespace == g.Namespace && other.Spec.ClusterName == g.Spec.ClusterName && other.Name != g.Name
		if same && older(other.ObjectMeta, g.ObjectMeta) {
			return other.Name
		}
	}
	return ""
}

func older(a, b metav1.ObjectMeta) bool {
	if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
		return c < 0
	}
	return a.Name < b.Name
}
