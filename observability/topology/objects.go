package topology

import (
	"cmp"
	"maps"
	"net"
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
)

// Config is the ConfigMap of a cluster: of a region, or of a child that reports to it.
type Config struct {
	// For is the cluster, and Owner what the ConfigMap goes with.
	For   Owner
	Owner *metav1.OwnerReference
	Role  Role
	// User is the name of the child's user.
	User string
	// Rotate is the wish for new credentials that a region's cluster has.
	Rotate string
	Region Region
	// Regionless marks the management cluster as the region of everybody.
	Regionless bool
}

// ConfigMap is the object.
func (c Config) ConfigMap() *corev1.ConfigMap {
	cm := configMap(types.NamespacedName{Namespace: c.For.Namespace, Name: ChildConfig(c.For.Name)}, c.For)
	cm.Labels = generated(map[string]string{kof.ClusterRoleLabel: string(c.Role)})
	if c.Role == Regional {
		cm.Name = RegionConfig(c.For.Name)
		cm.Labels[kof.GeneratedLabel] = kof.GeneratedValue
	}
	if c.Regionless {
		cm.Labels[kof.RegionlessLabel] = "true"
	}
	if c.User != "" {
		cm.Annotations[UserAnnotation] = c.User
	}
	if c.Rotate != "" {
		cm.Annotations[RotateAnnotation] = c.Rotate
	}
	cm.OwnerReferences = owners(c.Owner)
	cm.Data = c.Region.Data()
	return cm
}

// ConfigMap is the region that a management cluster is for everybody.
func (r Regionless) ConfigMap() (*corev1.ConfigMap, error) {
	region := Region{NamespacedName: r.Cluster, Endpoints: r.Endpoints}
	if err := region.Check(); err != nil {
		return nil, err
	}
	return Config{For: Owner{Kind: ManagementKind, NamespacedName: r.Cluster}, Role: Regional, Region: region, Regionless: true}.ConfigMap(), nil
}

// ManagementKind stands in ForAnnotation for the plane itself.
const ManagementKind = "Management"

// UserOwned says whether a ConfigMap is the user's, and is to be left as it is.
func UserOwned(cm metav1.Object) bool { return cm.GetLabels()[kof.GeneratedLabel] == "false" }

// RecordRulesConfig is the ConfigMap that a region's recording rules are written to, by others.
func RecordRulesConfig(region Region, of Owner, owner *metav1.OwnerReference) *corev1.ConfigMap {
	cm := configMap(types.NamespacedName{Namespace: region.Namespace, Name: RecordRules(region.Name)}, of)
	cm.Labels = generated(map[string]string{kof.RecordVMRulesLabel: region.Name, kof.GeneratedLabel: kof.GeneratedValue})
	cm.OwnerReferences = owners(owner)
	return cm
}

func configMap(name types.NamespacedName, of Owner) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Annotations: map[string]string{ForAnnotation: of.String()}},
	}
}

// Reader is what is made so that a region can be asked: by whom, and with which credentials.
type Reader struct {
	For    Owner
	Owner  *metav1.OwnerReference
	Region Region
	// User is the region's admin, whose credentials are used unless the region names others.
	User string
	// Regionless regions are asked inside their own cluster, where certificates are always checked.
	Regionless bool
}

// ServerGroup is the region's PromxyServerGroup.
func (r Reader) ServerGroup() (*kof.PromxyServerGroup, error) {
	u, err := parseEndpoint("read_metrics_endpoint", r.Region.Endpoints.ReadMetrics)
	if err != nil {
		return nil, err
	}
	c, err := r.Region.HTTPConfig()
	if err != nil {
		return nil, err
	}
	g := &kof.PromxyServerGroup{
		TypeMeta: metav1.TypeMeta{APIVersion: kof.GroupVersion.String(), Kind: kof.PromxyServerGroupKind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.For.Namespace, Name: ServerGroup(r.For.NamespacedName), OwnerReferences: owners(r.Owner),
			Labels:      generated(map[string]string{kof.SecretNameLabel: kof.PromxySecret}),
			Annotations: map[string]string{ForAnnotation: r.For.String()},
		},
		Spec: kof.PromxyServerGroupSpec{
			ClusterName: r.Region.Name, Scheme: u.Scheme, PathPrefix: u.Path, Targets: []string{hostPort(u)},
			HTTPClient: kof.PromxyHTTPClient{DialTimeout: c.DialTimeout, TLSConfig: c.TLS, BasicAuth: r.credentials(c)},
		},
	}
	if r.Regionless {
		g.Spec.HTTPClient.TLSConfig.InsecureSkipVerify = false
	}
	return g, nil
}

func (r Reader) credentials(c HTTPConfig) kof.PromxyBasicAuth {
	return kof.PromxyBasicAuth{
		CredentialsSecretName: cmp.Or(c.BasicAuth.CredentialsSecretName, Credentials(r.User)),
		UsernameKey:           cmp.Or(c.BasicAuth.UsernameKey, UsernameKey),
		PasswordKey:           cmp.Or(c.BasicAuth.PasswordKey, PasswordKey),
	}
}

// Connections are the region's VMStorageConnections, to those clusters that the settings name.
func (r Reader) Connections(s Settings) ([]*kof.VMStorageConnection, error) {
	c, err := r.Region.HTTPConfig()
	if err != nil {
		return nil, err
	}
	auth := r.credentials(c)
	var out []*kof.VMStorageConnection
	for _, want := range []struct {
		of                      Data
		kind, cluster, key, url string
	}{
		{Traces, "VTCluster", s.TracesCluster, "read_traces_endpoint", r.Region.Endpoints.ReadTraces},
		{Logs, "VLCluster", s.LogsCluster, "read_logs_endpoint", r.Region.Endpoints.ReadLogs},
		{AuditLogs, "VLCluster", s.LogsCluster, "read_audit_logs_endpoint", r.Region.Endpoints.ReadAuditLogs},
	} {
		if want.cluster == "" {
			continue
		}
		u, err := parseEndpoint(want.key, want.url)
		if err != nil {
			return nil, err
		}
		out = append(out, &kof.VMStorageConnection{
			TypeMeta: metav1.TypeMeta{APIVersion: kof.GroupVersion.String(), Kind: kof.VMStorageConnectionKind},
			ObjectMeta: metav1.ObjectMeta{
				Namespace: r.For.Namespace, Name: Connection(want.of, r.For.NamespacedName), OwnerReferences: owners(r.Owner),
				Labels:      generated(map[string]string{kof.GeneratedLabel: kof.GeneratedValue, kof.ClusterNameLabel: r.Region.Name}),
				Annotations: map[string]string{ForAnnotation: r.For.String()},
			},
			Spec: kof.VMStorageConnectionSpec{
				ClusterRef: kof.StorageClusterRef{Kind: want.kind, Name: want.cluster, Namespace: s.Release},
				TargetStorageNode: kof.TargetStorageNode{
					Address:   u.Host + u.Path,
					Secret:    &kof.StorageNodeSecret{Name: auth.CredentialsSecretName, UsernameKey: auth.UsernameKey, PasswordKey: auth.PasswordKey},
					TLSConfig: &kof.StorageNodeTLSConfig{Enabled: u.Scheme == "https", InsecureSkipVerify: c.TLS.InsecureSkipVerify && !r.Regionless},
				},
			},
		})
	}
	return out, nil
}

// hostPort is the address of a URL with its port, which the scheme says where the URL does not.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func sortedLines(m map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		// Values of labels may look like numbers and truths.
		out = append(out, key+`: "`+m[key]+`"`)
	}
	return out
}
