package topology

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
)

// Keys of a region's ConfigMap, and of those of its children.
const (
	keyName      = "regional_cluster_name"
	keyNamespace = "regional_cluster_namespace"
	keyCloud     = "regional_cluster_cloud"
	keyIstio     = "istio_role"
	keyHTTP      = "kof_http_config"
	keyAWS       = "aws_region"
	keyAzure     = "azure_location"
	keyOpenStack = "openstack_region"
	keyVSphere   = "vsphere_datacenter"
	keyGCP       = "gcp_region" // KOF has none, so its clusters on GCP always have to name their region
	// keyAuthority is the certificate of who has signed those that the region's stores serve by. KOF
	// has none: there, certificates of one's own making are not checked.
	keyAuthority  = "ca_pem"
	defaultDial   = 5 * time.Second
	defaultUser   = "username"
	defaultSecret = "password"
)

// Region is what is known of a region: where it is, and where its stores are.
type Region struct {
	types.NamespacedName
	Place     Place     `json:"place"`
	IstioRole string    `json:"istioRole,omitempty"`
	HTTP      string    `json:"http,omitempty"`
	Endpoints Endpoints `json:"endpoints"`
	// Authority is the certificate, in PEM form, that is trusted beside those that are known
	// everywhere; empty for no other.
	Authority string `json:"authority,omitempty"`
}

// Endpoints are the addresses of a region's stores. Those for writing are empty in a mesh, where
// the charts know them.
type Endpoints struct {
	ReadMetrics    string `json:"readMetrics,omitempty"`
	WriteMetrics   string `json:"writeMetrics,omitempty"`
	ReadLogs       string `json:"readLogs,omitempty"`
	WriteLogs      string `json:"writeLogs,omitempty"`
	ReadAuditLogs  string `json:"readAuditLogs,omitempty"`
	WriteAuditLogs string `json:"writeAuditLogs,omitempty"`
	ReadTraces     string `json:"readTraces,omitempty"`
	WriteTraces    string `json:"writeTraces,omitempty"`
}

// endpoint is one of the eight: the key in ConfigMaps, the annotation, and the path behind a region's vmauth.
type endpoint struct {
	key, annotation, path string
	at                    func(*Endpoints) *string
	writes                bool
}

var endpoints = []endpoint{
	{"read_metrics_endpoint", kof.ReadMetricsAnnotation, "/vm/select/0/prometheus", func(e *Endpoints) *string { return &e.ReadMetrics }, false},
	{"write_metrics_endpoint", kof.WriteMetricsAnnotation, "/vm/insert/0/prometheus/api/v1/write", func(e *Endpoints) *string { return &e.WriteMetrics }, true},
	{"read_logs_endpoint", kof.ReadLogsAnnotation, "/vls", func(e *Endpoints) *string { return &e.ReadLogs }, false},
	{"write_logs_endpoint", kof.WriteLogsAnnotation, "/vli/insert/opentelemetry/v1/logs", func(e *Endpoints) *string { return &e.WriteLogs }, true},
	{"read_audit_logs_endpoint", kof.ReadAuditLogsAnnotation, "/vlas", func(e *Endpoints) *string { return &e.ReadAuditLogs }, false},
	{"write_audit_logs_endpoint", kof.WriteAuditLogsAnnotation, "/vlai/insert/opentelemetry/v1/logs", func(e *Endpoints) *string { return &e.WriteAuditLogs }, true},
	{"read_traces_endpoint", kof.ReadTracesAnnotation, "/vts", func(e *Endpoints) *string { return &e.ReadTraces }, false},
	{"write_traces_endpoint", kof.WriteTracesAnnotation, "/vti/insert/opentelemetry/v1/traces", func(e *Endpoints) *string { return &e.WriteTraces }, true},
}

// EndpointsAt are the endpoints behind one vmauth, such as "https://vmauth.example.org".
func EndpointsAt(base string) Endpoints {
	var out Endpoints
	for _, e := range endpoints {
		*e.at(&out) = base + e.path
	}
	return out
}

// Here is where the stores of a region are reached that nobody has to tell of: those of a cluster on
// this computer. The zero value is nowhere.
type Here struct {
	// Read and Write are what comes before the paths behind the region's vmauth: for the plane, and
	// for children.
	Read  string `json:"read,omitempty"`
	Write string `json:"write,omitempty"`
	// Pending is what has to happen before that is known.
	Pending string `json:"pending,omitempty"`
}

func (h Here) base(e endpoint) string {
	if e.writes {
		return h.Write
	}
	return h.Read
}

// RegionOf is the region that a ClusterDeployment with the role regional is, at its place. What its
// user says about where its stores are comes before what is known.
func RegionOf(d *kcm.ClusterDeployment, at Place, here Here) (Region, error) {
	r := Region{
		NamespacedName: types.NamespacedName{Namespace: d.Namespace, Name: d.Name},
		Place:          at, IstioRole: d.Labels[kof.IstioRoleLabel], HTTP: d.Annotations[kof.HTTPConfigAnnotation],
	}
	written, err := clusterAnnotations(d)
	if err != nil {
		return r, err
	}
	domain := written[kof.RegionalDomainAnnotation]
	for _, e := range endpoints {
		text := written[e.annotation]
		switch {
		case text != "":
		case r.IstioRole != "" && e.writes:
		case r.IstioRole != "":
			text = fmt.Sprintf("http://%s-vmauth:8427%s", d.Name, e.path)
		case domain == "" && here.Pending != "":
			return r, notYet(ReasonNoEndpoint, "%s", here.Pending)
		case domain == "" && here.base(e) != "":
			text = here.base(e) + e.path
		case domain == "":
			return r, invalid(ReasonNoEndpoint, "spec.config.clusterAnnotations has neither %s nor %s: set the domain under which the region's vmauth can be reached, or all eight endpoints",
				kof.RegionalDomainAnnotation, e.annotation)
		default:
			text = "https://vmauth." + domain + e.path
		}
		*e.at(&r.Endpoints) = text
	}
	return r, r.Check()
}

// clusterAnnotations reads spec.config.clusterAnnotations.
func clusterAnnotations(d *kcm.ClusterDeployment) (map[string]string, error) {
	if d.Spec.Config == nil || len(d.Spec.Config.Raw) == 0 {
		return nil, nil
	}
	var c struct {
		ClusterAnnotations map[string]string `json:"clusterAnnotations"`
	}
	if err := json.Unmarshal(d.Spec.Config.Raw, &c); err != nil {
		return nil, invalid(ReasonInvalid, "spec.config.clusterAnnotations: %v: expected texts by name", err)
	}
	return c.ClusterAnnotations, nil
}

// ReadRegion reads the ConfigMap of a region, whoever wrote it.
func ReadRegion(cm *corev1.ConfigMap) (Region, error) {
	r := Region{
		NamespacedName: types.NamespacedName{Namespace: cm.Data[keyNamespace], Name: cm.Data[keyName]},
		Place: Place{
			Cloud: Cloud(cm.Data[keyCloud]), AWS: cm.Data[keyAWS], Azure: cm.Data[keyAzure],
			OpenStack: cm.Data[keyOpenStack], VSphere: cm.Data[keyVSphere], GCP: cm.Data[keyGCP],
		},
		IstioRole: cm.Data[keyIstio], HTTP: cm.Data[keyHTTP], Authority: cm.Data[keyAuthority],
	}
	for _, e := range endpoints {
		*e.at(&r.Endpoints) = cm.Data[e.key]
	}
	switch {
	case r.Name == "":
		return r, invalid(ReasonInvalid, "data.%s is empty: set the name of the region", keyName)
	case r.Namespace == "":
		return r, invalid(ReasonInvalid, "data.%s is empty: set it to %q, the namespace of this ConfigMap", keyNamespace, cm.Namespace)
	case r.Namespace != cm.Namespace:
		// What is made for a region goes with its ConfigMap, and nothing can go with an owner
		// in another namespace.
		return r, invalid(ReasonInvalid, "data.%s is %q, and the ConfigMap is in %q: both have to be the same", keyNamespace, r.Namespace, cm.Namespace)
	case len(r.Name) > 63:
		return r, invalid(ReasonInvalid, "data.%s is longer than 63 characters, and has to be the value of a label", keyName)
	}
	return r, r.Check()
}

// Check judges the endpoints and the settings of a region. Those for reading have to be there, for
// nobody else knows them.
func (r Region) Check() error {
	for _, e := range endpoints {
		text := *e.at(&r.Endpoints)
		if text == "" && e.writes && r.IstioRole != "" {
			continue
		}
		if text == "" {
			return invalid(ReasonNoEndpoint, "region %s has no %s: set it in data.%s, or by the annotation %s", r.Name, e.key, e.key, e.annotation)
		}
		if _, err := parseEndpoint(e.key, text); err != nil {
			return err
		}
	}
	_, err := r.HTTPConfig()
	return err
}

func parseEndpoint(key, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// The parser's own words would quote credentials that may stand in the address.
		return nil, invalid(ReasonBadEndpoint, "%s is no address: expected one like https://vmauth.example.org/vm/select/0/prometheus", key)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid(ReasonBadEndpoint, "%s %q: expected http:// or https:// at its beginning", key, u.Redacted())
	case u.Hostname() == "":
		return nil, invalid(ReasonBadEndpoint, "%s %q names no host", key, u.Redacted())
	case u.User != nil:
		return nil, invalid(ReasonBadEndpoint, "%s %q: credentials do not belong into an address; name a Secret in the annotation %s", key, u.Redacted(), kof.HTTPConfigAnnotation)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, invalid(ReasonBadEndpoint, "%s %q: expected no query and no fragment", key, u.Redacted())
	}
	return u, nil
}

// HTTPConfig says how a region's stores are asked.
type HTTPConfig struct {
	DialTimeout metav1.Duration     `json:"dial_timeout"`
	TLS         kof.PromxyTLSConfig `json:"tls_config"`
	BasicAuth   kof.PromxyBasicAuth `json:"basic_auth"`
}

// HTTPConfig reads how the region's stores are asked.
func (r Region) HTTPConfig() (HTTPConfig, error) {
	out := HTTPConfig{DialTimeout: metav1.Duration{Duration: defaultDial}}
	if r.HTTP != "" {
		if err := json.Unmarshal([]byte(r.HTTP), &out); err != nil {
			return out, invalid(ReasonInvalid, `%s of region %s is not as expected: %v; write it like {"dial_timeout":"10s","tls_config":{"insecure_skip_verify":true}}`, keyHTTP, r.Name, err)
		}
	}
	if out.DialTimeout.Duration <= 0 {
		out.DialTimeout.Duration = defaultDial
	}
	return out, nil
}

// Data is the region as the data of its ConfigMap, and of those of its children.
func (r Region) Data() map[string]string {
	out := map[string]string{
		keyName: r.Name, keyNamespace: r.Namespace, keyCloud: string(r.Place.Cloud), keyIstio: r.IstioRole, keyHTTP: r.HTTP,
		keyAWS: r.Place.AWS, keyAzure: r.Place.Azure, keyOpenStack: r.Place.OpenStack, keyVSphere: r.Place.VSphere,
	}
	if r.Place.GCP != "" {
		out[keyGCP] = r.Place.GCP
	}
	if r.Authority != "" {
		out[keyAuthority] = r.Authority
	}
	for _, e := range endpoints {
		out[e.key] = *e.at(&r.Endpoints)
	}
	return out
}

// ReportsTo is the region that a ConfigMap of a cluster is about.
func ReportsTo(cm *corev1.ConfigMap) types.NamespacedName {
	return types.NamespacedName{Namespace: cm.Data[keyNamespace], Name: cm.Data[keyName]}
}
