package templates

import (
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
)

// Telemetry is the host by which telemetry is sent to a plane on this computer that listens on
// loopback. It stands for the computer's address on the network of the local cluster that sends.
const Telemetry = "telemetry.portico.internal"

// ChildService is the name of the MultiClusterService that installs collectors on clusters that
// are children in telemetry. It is KOF's.
const ChildService = "kof-child-cluster"

// PropagationTemplate is the name of the ServiceTemplate that brings objects to a cluster as they are.
func PropagationTemplate() string { return "kof-propagation-" + Dashed(PropagationVersion) }

// user is the name of a child's user before its region's stores, by which its credentials are found.
const user = `{{ printf "kof-cluster-config-%s/%s" .Cluster.metadata.name .Cluster.metadata.namespace | adler32sum }}`

// childService has every child send what it says to its region, with its own credentials: those that
// the region's ConfigMap and the child's Secret hold, as soon as they are there.
func childService(p Params) client.Object {
	at := func(identifier, kind, name string) kcm.TemplateResourceRef {
		return kcm.TemplateResourceRef{Identifier: identifier, Resource: kcm.ObjectReference{
			APIVersion: "v1", Kind: kind, Namespace: "{{ .Cluster.metadata.namespace }}", Name: name,
		}}
	}
	m := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: ChildService, Labels: map[string]string{kcm.ComponentLabel: kcm.ComponentKCM}}}
	m.Spec.ClusterSelector = metav1.LabelSelector{MatchLabels: map[string]string{kof.ClusterRoleLabel: kof.ChildRole}}
	m.Spec.ServiceSpec.Provider.Config = quoting(
		at("config", "ConfigMap", "kof-cluster-config-{{ .Cluster.metadata.name }}"), at("secret", "Secret", "kof-vmuser-creds-"+user),
	)
	m.Spec.ServiceSpec.Services = []kcm.Service{
		{Name: "kof-credentials", Namespace: kof.Namespace, Template: PropagationTemplate(), Values: credentialValues},
		{
			Name: "kof-collectors", Namespace: kof.Namespace, Template: "kof-collectors-" + Dashed(CollectorsVersion),
			Values:    collectorValues(p),
			DependsOn: []kcm.ServiceDependsOn{{Name: "kof-credentials", Namespace: kof.Namespace}},
		},
	}
	return kinded(m, kcm.GroupVersion.WithKind(kcm.MultiClusterServiceKind))
}

// quoting is the configuration of services whose values quote these objects.
func quoting(objects ...kcm.TemplateResourceRef) *kcm.JSON {
	raw, _ := json.Marshal(map[string]any{"templateResourceRefs": objects}) // texts can always be written
	return &kcm.JSON{Raw: raw}
}

const credentialValues = `propagation:
  data: |
    apiVersion: v1
    kind: Secret
    metadata:
      name: kof-vmuser-creds-` + user + `
      namespace: ` + kof.Namespace + `
    data:
      username: {{ getField "secret" "data.username" }}
      password: {{ getField "secret" "data.password" }}
`

// collectorValues send to the endpoints of the region, by this plane's authority besides those that
// are known everywhere.
func collectorValues(p Params) string {
	endpoint := func(key string) string {
		return `{{ getField "config" "data.` + key + `" | replace "` + Telemetry + `" $host }}`
	}
	indented := strings.ReplaceAll(strings.TrimSpace(string(p.CA)), "\n", "\n      ")
	return fmt.Sprintf(`{{- $host := "%s" -}}
{{- with dig "InfrastructureProvider" "status" "network" "index" 0 . }}{{ $host = printf "10.213.%%v.1" . }}{{ end -}}
global:
  clusterName: {{ .Cluster.metadata.name }}
  clusterNamespace: {{ .Cluster.metadata.namespace }}
  tenant: {{ dig "metadata" "labels" "%s" "PLATFORM" .Cluster }}
kof:
  basic_auth: true
  credentials_secret_name: kof-vmuser-creds-%s
  tls_options:
    ca_pem: |
      %s
  metrics: {endpoint: "%s"}
  logs: {endpoint: "%s"}
  audit: {endpoint: "%s"}
  traces: {endpoint: "%s"}
`, Telemetry, kof.TenantLabel, user, indented,
		endpoint("write_metrics_endpoint"), endpoint("write_logs_endpoint"), endpoint("write_audit_logs_endpoint"), endpoint("write_traces_endpoint"))
}
