package templates

import (
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// Telemetry is the host by which telemetry is sent to a plane on this computer that listens on
// loopback. It stands for the computer's address on the network of the local cluster that sends.
const Telemetry = "telemetry.portico.internal"

// ChildService is the name of the MultiClusterService that installs collectors on clusters that
// are children in telemetry. It is KOF's.
const ChildService = "kof-child-cluster"

// RegionalService is the name of the MultiClusterService that installs stores, and collectors that
// send to them, on clusters that are regions in telemetry. It is KOF's.
const RegionalService = "kof-regional-cluster"

// The annotations of clusters that change the values of charts; k0rdent's.
const (
	storageClassAnnotation     = "k0rdent.mirantis.com/kof-storage-class"
	storageValuesAnnotation    = "k0rdent.mirantis.com/kof-storage-values"
	collectorsValuesAnnotation = "k0rdent.mirantis.com/kof-collectors-values"
)

// RegionPort is the port at which the nodes of a region on this computer serve its stores.
const RegionPort = 30427

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
			Values: childValues(p), DependsOn: after("kof-credentials"),
		},
	}
	return kinded(m, kcm.GroupVersion.WithKind(kcm.MultiClusterServiceKind))
}

// regionalService makes a cluster a region that works by itself: first what its programs serve by and
// know each other by, then the stores, then collectors that send to them. The charts' values can be
// changed by the annotations of the cluster that k0rdent has for that.
func regionalService() client.Object {
	at := func(identifier, kind, name string) kcm.TemplateResourceRef {
		return kcm.TemplateResourceRef{Identifier: identifier, Resource: kcm.ObjectReference{
			APIVersion: "v1", Kind: kind, Namespace: "{{ .Cluster.metadata.namespace }}", Name: name + "{{ .Cluster.metadata.name }}",
		}}
	}
	m := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: RegionalService, Labels: map[string]string{kcm.ComponentLabel: kcm.ComponentKCM}}}
	m.Spec.ClusterSelector = metav1.LabelSelector{
		MatchLabels: map[string]string{kof.ClusterRoleLabel: kof.RegionalRole},
		// In a mesh another one of k0rdent's takes over.
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: kof.IstioRoleLabel, Operator: metav1.LabelSelectorOpDoesNotExist}},
	}
	m.Spec.ServiceSpec.Provider.Config = quoting(at("stores", "Secret", "kof-storage-credentials-"))
	m.Spec.ServiceSpec.Services = []kcm.Service{
		{Name: "kof-storage-credentials", Namespace: kof.Namespace, Template: PropagationTemplate(), Values: storesValues},
		{
			Name: "kof-storage", Namespace: kof.Namespace, Template: "kof-storage-" + Dashed(StorageVersion), Values: storageValues,
			ValuesFrom: []kcm.ValuesFrom{{Kind: "ConfigMap", Name: "kof-record-vmrules-{{ .Cluster.metadata.name }}"}},
			DependsOn:  after("kof-storage-credentials"),
		},
		{
			Name: "kof-collectors", Namespace: kof.Namespace, Template: "kof-collectors-" + Dashed(CollectorsVersion),
			Values: regionValues(), DependsOn: after("kof-storage"),
		},
	}
	return kinded(m, kcm.GroupVersion.WithKind(kcm.MultiClusterServiceKind))
}

func after(service string) []kcm.ServiceDependsOn {
	return []kcm.ServiceDependsOn{{Name: service, Namespace: kof.Namespace}}
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

// storesValues are what observability/topology keeps for a region, under the keys that its programs read.
const storesValues = `propagation:
  data: |
    apiVersion: v1
    kind: Secret
    metadata:
      name: kof-storage-credentials
      namespace: ` + kof.Namespace + `
    data:
      tls.crt: {{ getField "stores" "data.certificate" }}
      tls.key: {{ getField "stores" "data.key" }}
      username: {{ b64enc "portico" }}
      password: {{ getField "stores" "data.password" }}
      users.yaml: {{ list (dict "name" "portico" "password" (getField "stores" "data.password" | b64dec)) | toYaml | b64enc }}
`

// written lays the values that an annotation of the cluster holds over $own.
func written(annotation string) string {
	return `{{- $said := dig "metadata" "annotations" "` + annotation + `" "" .Cluster | fromYaml }}
{{ mergeOverwrite $own $said | toYaml }}
`
}

// storageValues expose the stores of a cluster on this computer by its nodes, and others by a load balancer.
var storageValues = `{{- $own := dict "global" (dict "storageClass" (dig "metadata" "annotations" "` + storageClassAnnotation + `" "" .Cluster)) }}
{{- with dig "InfrastructureProvider" "status" "network" "index" 0 . }}
{{- $own = set $own "vmauth" (dict "service" (dict "type" "NodePort" "nodePort" ` + fmt.Sprint(RegionPort) + `)) }}
{{- end }}
` + written(storageValuesAnnotation)

// collectorValues is a template of the values of collectors. $host is whom Telemetry stands for, and sender an
// expression for how the sender signs in, and endpoint one for where each kind goes.
func collectorValues(sender string, endpoint func(kind string) string) string {
	to := func(kind string) string { return fmt.Sprintf(`(dict "endpoint" (%s))`, endpoint(kind)) }
	return fmt.Sprintf(`{{- $own := dict "global" (dict "clusterName" .Cluster.metadata.name "clusterNamespace" .Cluster.metadata.namespace "tenant" (dig "metadata" "labels" "%s" "%s" .Cluster) "cloudProvider" (dig "InfrastructureProvider" "kind" "" . | lower | trimSuffix "cluster" | trimSuffix "managed")) }}
{{- $own = set $own "kof" (merge %s (dict "metrics" %s "logs" %s "audit" %s "traces" %s)) }}
`, kof.TenantLabel, fleet.PlatformTenant, sender, to("metrics"), to("logs"), to("audit_logs"), to("traces")) + written(collectorsValuesAnnotation)
}

// childValues send to the endpoints of the region. Trusted are this plane's authority and the region's
// own, besides those that are known everywhere.
func childValues(p Params) string {
	sender := fmt.Sprintf(`(dict "basic_auth" true "credentials_secret_name" (printf "kof-vmuser-creds-%%s" $user) "tls_options" (dict "ca_pem" (printf "%%s\n%%s" %s (getField "config" "data.ca_pem" | default ""))))`,
		"`"+strings.TrimSpace(string(p.CA))+"`")
	return fmt.Sprintf(`{{- $host := "%s" -}}
{{- with dig "InfrastructureProvider" "status" "network" "index" 0 . }}{{ $host = printf "10.213.%%v.1" . }}{{ end -}}
{{- $user := %s -}}
`, Telemetry, strings.Trim(user, "{} ")) + collectorValues(sender, func(kind string) string {
		return fmt.Sprintf(`getField "config" "data.write_%s_endpoint" | replace "%s" $host`, kind, Telemetry)
	})
}

// regionValues send to the stores of the same cluster, as the region itself: what it says of its
// tenant is believed.
func regionValues() string {
	paths := map[string]string{
		"metrics": "vm/insert/0/prometheus/api/v1/write", "logs": "vli/insert/opentelemetry/v1/logs",
		"audit_logs": "vlai/insert/opentelemetry/v1/logs", "traces": "vti/insert/opentelemetry/v1/traces",
	}
	sender := `(dict "basic_auth" true "credentials_secret_name" "kof-storage-credentials" "tls_options" (dict "ca_pem" (getField "stores" "data.authority" | b64dec)))`
	return collectorValues(sender, func(kind string) string {
		return fmt.Sprintf(`"https://vmauth-cluster.%s.svc:8427/%s"`, kof.Namespace, paths[kind])
	})
}
