package connections

import (
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// mountedAnnotation, on a cluster, lists the Secrets that are there because of connections: those
// that its owner has put there stay.
const mountedAnnotation = "observability.portico.dev/connected-secrets"

// The arguments that are ours, each a list by position.
const (
	argNode     = "storageNode"
	argUser     = "storageNode.usernameFile"
	argPassword = "storageNode.passwordFile"
	argTLS      = "storageNode.tls"
	argInsecure = "storageNode.tlsInsecureSkipVerify"
)

// Plan is what a cluster has to be.
type Plan struct {
	// Write says that the cluster is another one; Component and Mounted are what it has to be.
	Write     bool
	Component map[string]any
	Mounted   []string
	// Ask are the indexes of the connections that the cluster asks.
	Ask []int
}

// Decide says what the part of a cluster that asks has to be. Connections that go, and those that
// cannot be asked, are left out.
func Decide(saw Observed) Plan {
	var p Plan
	for i, c := range saw.Connections {
		if c.DeletionTimestamp == nil && checkAddress(c.Spec.TargetStorageNode.Address) == nil && missing(c) == "" {
			p.Ask = append(p.Ask, i)
		}
	}
	if saw.Found != There {
		return p
	}
	args, secrets := arguments(saw, p.Ask)
	p.Mounted = secrets
	p.Component = maps.Clone(saw.Component)
	if p.Component == nil {
		p.Component = map[string]any{}
	}
	p.Component["extraArgs"] = withArgs(saw.Component["extraArgs"], args)
	p.Component["secrets"] = withSecrets(saw.Component["secrets"], saw.Mounted, secrets)
	for _, key := range []string{"extraArgs", "secrets"} {
		if reflect.ValueOf(p.Component[key]).Len() == 0 {
			delete(p.Component, key)
		}
	}
	p.Write = !reflect.DeepEqual(orEmpty(saw.Component), p.Component) || !slices.Equal(saw.Mounted, p.Mounted)
	return p
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// arguments are the lists, and the Secrets that they point into.
func arguments(saw Observed, ask []int) (args map[string]string, secrets []string) {
	if len(ask) == 0 {
		return nil, nil
	}
	lists := map[string][]string{}
	for _, i := range ask {
		node := saw.Connections[i].Spec.TargetStorageNode
		tls := kof.StorageNodeTLSConfig{}
		if node.TLSConfig != nil {
			tls = *node.TLSConfig
		}
		user, password := "", ""
		if s := node.Secret; s != nil {
			user, password = file(s.Name, s.UsernameKey), file(s.Name, s.PasswordKey)
			secrets = append(secrets, s.Name)
		}
		lists[argNode] = append(lists[argNode], node.Address)
		lists[argUser] = append(lists[argUser], user)
		lists[argPassword] = append(lists[argPassword], password)
		lists[argTLS] = append(lists[argTLS], strconv.FormatBool(tls.Enabled))
		lists[argInsecure] = append(lists[argInsecure], strconv.FormatBool(tls.InsecureSkipVerify))
	}
	args = map[string]string{}
	for name, list := range lists {
		args[name] = strings.Join(list, ",")
	}
	slices.Sort(secrets)
	return args, slices.Compact(secrets)
}

// file is where VictoriaMetrics' operator mounts a key of a Secret.
func file(secret, key string) string { return "/etc/vm/secrets/" + secret + "/" + key }

// withArgs are arguments with ours among them, and with none of ours that is not wanted any more.
func withArgs(have any, ours map[string]string) map[string]any {
	out := map[string]any{}
	old, _ := have.(map[string]any)
	maps.Copy(out, old)
	for _, name := range []string{argNode, argUser, argPassword, argTLS, argInsecure} {
		delete(out, name)
		if value, ok := ours[name]; ok {
			out[name] = value
		}
	}
	return out
}

func withSecrets(have any, mounted, wanted []string) []any {
	var out []any
	old, _ := have.([]any)
	for _, name := range old {
		text, _ := name.(string)
		if !slices.Contains(mounted, text) && !slices.Contains(wanted, text) {
			out = append(out, name)
		}
	}
	for _, name := range wanted {
		out = append(out, name)
	}
	return out
}

// checkAddress judges host:port, after which a path may come.
func checkAddress(address string) error {
	authority, _, _ := strings.Cut(address, "/")
	host, port := authority, "443"
	if h, p, err := net.SplitHostPort(authority); err == nil {
		host, port = h, p
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if host == "" || err != nil || n == 0 || strings.ContainsAny(address, ", \t\n@?#") {
		return fmt.Errorf("%w: spec.target_storage_node.address %q: expected host:port, and perhaps a path", fleet.ErrInvalid, address)
	}
	return nil
}

// missing says what of a connection's credentials is not there; empty if all is.
func missing(c Connection) string {
	ref := c.Spec.TargetStorageNode.Secret
	if ref == nil {
		return ""
	}
	if !c.Secret {
		return fmt.Sprintf("Secret %s does not exist beside the %s, in namespace %s: create it there", ref.Name, c.Spec.ClusterRef.Kind, targetOf(&c.VMStorageConnection).Namespace)
	}
	if c.Refused != "" {
		return c.Refused
	}
	for _, key := range []string{ref.UsernameKey, ref.PasswordKey} {
		if !slices.Contains(c.Keys, key) {
			return fmt.Sprintf("Secret %s has nothing under the key %q", ref.Name, key)
		}
	}
	return ""
}

func mounted(o *unstructured.Unstructured) []string {
	text := o.GetAnnotations()[mountedAnnotation]
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
