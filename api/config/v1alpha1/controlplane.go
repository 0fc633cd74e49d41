package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// APIVersion is the apiVersion of every file of this package.
	APIVersion = "config.portico.dev/v1alpha1"
	// ControlPlaneConfigurationKind is the kind of a ControlPlaneConfiguration.
	ControlPlaneConfigurationKind = "ControlPlaneConfiguration"
)

// ControlPlaneConfiguration is the file that `portico-kube controlplane --config` reads:
// one Kubernetes control plane with its own etcd, in one process, in one folder.
type ControlPlaneConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// Name of the cluster: its name in the kubeconfig and in the controller manager. Required.
	Name string `json:"name"`
	// KubernetesVersion that the program must have, such as v1.36.4; another version refuses
	// to start. Empty means any.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Dir is the absolute folder of this control plane. It receives pki/, etcd/, kubeconfig
	// and the files that are derived from this one. Required.
	Dir string `json:"dir"`

	// BindAddress is the IP address on which the API server listens. Default 127.0.0.1.
	BindAddress string `json:"bindAddress,omitempty"`
	// Port of the API server, 1 to 65535. Default 6443.
	Port int32 `json:"port,omitempty"`
	// AdvertiseAddress is the IP address under which nodes and pods reach the API server: the
	// endpoint of the service kubernetes.default and the server in the kubeconfig. Default:
	// BindAddress, or 127.0.0.1 where that is unspecified (0.0.0.0 or ::).
	AdvertiseAddress string `json:"advertiseAddress,omitempty"`
	// ExtraSANs are further IP addresses and DNS names in the API server's certificate.
	ExtraSANs []string `json:"extraSANs,omitempty"`

	// PodCIDR is the address range of pods. Default 10.244.0.0/16.
	PodCIDR string `json:"podCIDR,omitempty"`
	// ServiceCIDR is the address range of services. Default 10.96.0.0/16.
	ServiceCIDR string `json:"serviceCIDR,omitempty"`
	// ClusterDomain is the DNS domain of services. Default cluster.local.
	ClusterDomain string `json:"clusterDomain,omitempty"`
	// ServiceAccountIssuer is the `iss` of service account tokens.
	// Default https://kubernetes.default.svc.<clusterDomain>.
	ServiceAccountIssuer string `json:"serviceAccountIssuer,omitempty"`

	// APIServer configures kube-apiserver.
	APIServer APIServerConfiguration `json:"apiServer,omitzero"`
	// ControllerManager configures kube-controller-manager.
	ControllerManager ControllerManagerConfiguration `json:"controllerManager,omitzero"`
	// Scheduler configures kube-scheduler.
	Scheduler SchedulerConfiguration `json:"scheduler,omitzero"`
	// Etcd configures the etcd inside this process.
	Etcd EtcdConfiguration `json:"etcd,omitzero"`
	// Certificates configures the certificates that this process issues to itself.
	Certificates CertificatesConfiguration `json:"certificates,omitzero"`
	// Tuning configures the Go runtime of this process.
	Tuning TuningConfiguration `json:"tuning,omitzero"`
}

// APIServerConfiguration configures kube-apiserver.
type APIServerConfiguration struct {
	// Audit configures the audit log.
	Audit AuditConfiguration `json:"audit,omitzero"`
	// AuthenticationConfigFile is the absolute path of a structured AuthenticationConfiguration
	// (apiserver.config.k8s.io). Default: none but certificates and service account tokens,
	// anonymous requests for the health endpoints only.
	AuthenticationConfigFile string `json:"authenticationConfigFile,omitempty"`
	// EncryptionConfigFile is the absolute path of an EncryptionConfiguration
	// (apiserver.config.k8s.io); it is read again when it changes. Default: no encryption.
	EncryptionConfigFile string `json:"encryptionConfigFile,omitempty"`
	// ExtraArgs are flags of kube-apiserver without the leading dashes. A flag that Portico
	// sets too is replaced.
	ExtraArgs map[string]string `json:"extraArgs,omitempty"`
}

// AuditConfiguration configures the audit log of the API server.
type AuditConfiguration struct {
	// PolicyFile is the absolute path of an audit Policy (audit.k8s.io). Empty means no audit.
	PolicyFile string `json:"policyFile,omitempty"`
	// LogPath is the absolute path of the log. Default <dir>/audit.log.
	LogPath string `json:"logPath,omitempty"`
	// MaxAge is the number of days for which old logs are kept. Default 0: not limited by age.
	MaxAge int32 `json:"maxAge,omitempty"`
	// MaxBackup is the number of old logs that are kept. Default 10.
	MaxBackup int32 `json:"maxBackup,omitempty"`
	// MaxSize is the size in megabytes at which a log is rotated. Default 100.
	MaxSize int32 `json:"maxSize,omitempty"`
}

// ControllerManagerConfiguration configures kube-controller-manager.
type ControllerManagerConfiguration struct {
	// Disabled leaves the controller manager out. Default false.
	Disabled bool `json:"disabled,omitempty"`
	// Controllers to run, in the form of kube-controller-manager's flag of that name: `*` for
	// the default ones, `name`, `-name`. Default: `*`.
	Controllers []string `json:"controllers,omitempty"`
	// AllocateNodeCIDRs makes the controller manager assign a part of PodCIDR to each node.
	// Default false: whoever makes the nodes assigns them.
	AllocateNodeCIDRs bool `json:"allocateNodeCIDRs,omitempty"`
	// ExtraArgs are flags of kube-controller-manager without the leading dashes. A flag that
	// Portico sets too is replaced.
	ExtraArgs map[string]string `json:"extraArgs,omitempty"`
}

// SchedulerConfiguration configures kube-scheduler.
type SchedulerConfiguration struct {
	// Disabled leaves the scheduler out, for a control plane without nodes. Default false.
	Disabled bool `json:"disabled,omitempty"`
	// ExtraArgs are flags of kube-scheduler without the leading dashes. A flag that Portico
	// sets too is replaced.
	ExtraArgs map[string]string `json:"extraArgs,omitempty"`
}

// EtcdConfiguration configures the etcd inside the process. It listens on unix sockets in
// <dir>/etcd only.
type EtcdConfiguration struct {
	// UnsafeNoFsync skips fsync: a crash of the machine can lose or corrupt data, a crash of
	// the process cannot. For tests only. Default false.
	UnsafeNoFsync bool `json:"unsafeNoFsync,omitempty"`
	// QuotaBytes is the size of the database in bytes at which etcd refuses writes.
	// Default 2147483648 (2 GiB).
	QuotaBytes int64 `json:"quotaBytes,omitempty"`
	// SnapshotCount is the number of writes after which etcd writes a snapshot and drops its
	// log before that: fewer cost less memory and more writes to disk. Default 5000.
	SnapshotCount int64 `json:"snapshotCount,omitempty"`
}

// CertificatesConfiguration configures the certificates that the process issues to itself:
// the API server's, its clients' and the administrator's. They are renewed when a quarter of
// their validity is left, without a restart. Authorities are never renewed.
type CertificatesConfiguration struct {
	// Validity of a certificate. Default 8760h (one year).
	Validity metav1.Duration `json:"validity,omitzero"`
	// AuthorityValidity is the validity of an authority that is made because pki/ has none.
	// Default 87600h (ten years).
	AuthorityValidity metav1.Duration `json:"authorityValidity,omitzero"`
}

// TuningConfiguration configures the Go runtime of the process.
type TuningConfiguration struct {
	// GOGC is the growth of the heap in percent at which garbage is collected: smaller means
	// less memory and more CPU. Default 50.
	GOGC int32 `json:"gogc,omitempty"`
	// MemoryLimit is the soft limit of memory that Go manages, such as 512Mi; beyond it garbage
	// is collected more eagerly. Default: none.
	MemoryLimit resource.Quantity `json:"memoryLimit,omitzero"`
}
