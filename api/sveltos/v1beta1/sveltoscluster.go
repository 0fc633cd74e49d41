package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KubeconfigSecretSuffix follows the name of a SveltosCluster in that of its kubeconfig Secret,
// unless the spec names another.
const KubeconfigSecretSuffix = "-sveltos-kubeconfig"

// SveltosClusterSpec says how a cluster is reached.
// +kubebuilder:validation:XValidation:rule="!has(self.workloadIdentity) || !has(self.kubeconfigName)",message="workloadIdentity, kubeconfigName: conflict"
type SveltosClusterSpec struct {
	// KubeconfigName is the name of the Secret with the kubeconfig. Empty means the name of
	// the object followed by KubeconfigSecretSuffix.
	// +optional
	KubeconfigName string `json:"kubeconfigName,omitempty"`
	// KubeconfigKeyName is the key of the kubeconfig in the Secret. Empty means the only one.
	// +optional
	KubeconfigKeyName string `json:"kubeconfigKeyName,omitempty"`
	// Paused stops all work on the cluster.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// TokenRequestRenewalOption says how the token in the kubeconfig is renewed.
	// +optional
	TokenRequestRenewalOption *TokenRequestRenewalOption `json:"tokenRequestRenewalOption,omitempty"`
	// Data are words that expressions may quote.
	// +optional
	Data map[string]string `json:"data,omitempty"`
	// ReadinessChecks have to succeed before anything is deployed.
	// +optional
	ReadinessChecks []ClusterCheck `json:"readinessChecks,omitempty"`
	// LivenessChecks have to succeed as long as the cluster lives.
	// +optional
	LivenessChecks []ClusterCheck `json:"livenessChecks,omitempty"`
	// ActiveWindow says when the cluster may be worked on. Empty means always.
	// +optional
	ActiveWindow *ActiveWindow `json:"activeWindow,omitempty"`
	// ConsecutiveFailureThreshold is how often in a row the cluster may not answer before it
	// is said to be down.
	// +kubebuilder:default=3
	// +optional
	ConsecutiveFailureThreshold int `json:"consecutiveFailureThreshold,omitempty"`
	// PullMode says that an agent on the cluster fetches its work. It cannot be changed.
	// +kubebuilder:default=false
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="Value is immutable"
	// +optional
	PullMode bool `json:"pullMode,omitempty"`
	// WorkloadIdentity signs in at a cloud's cluster without a kubeconfig.
	// +optional
	WorkloadIdentity *WorkloadIdentity `json:"workloadIdentity,omitempty"`
}

// TokenRequestRenewalOption says how the token in a kubeconfig is renewed.
type TokenRequestRenewalOption struct {
	// RenewTokenRequestInterval is the time between two renewals.
	RenewTokenRequestInterval metav1.Duration `json:"renewTokenRequestInterval"`
	// TokenDuration is how long a token is asked to be good.
	// +optional
	TokenDuration metav1.Duration `json:"tokenDuration,omitempty"`
	// SANamespace is the namespace of the service account. Empty means that of the kubeconfig.
	// +optional
	SANamespace string `json:"saNamespace,omitempty"`
	// SAName is the name of the service account. Empty means that of the kubeconfig.
	// +optional
	SAName string `json:"saName,omitempty"`
	// KubeconfigKeyName is the key that the renewed kubeconfig is stored under.
	// +optional
	KubeconfigKeyName string `json:"kubeconfigKeyName,omitempty"`
}

// ActiveWindow says when a cluster may be worked on.
type ActiveWindow struct {
	// From is the beginning, a cron expression.
	// +kubebuilder:validation:MinLength=1
	From string `json:"from"`
	// To is the end, a cron expression.
	// +kubebuilder:validation:MinLength=1
	To string `json:"to"`
}

// ClusterCheck looks at objects of a cluster.
type ClusterCheck struct {
	// Name of the check.
	Name string `json:"name"`
	// ResourceSelectors select the objects.
	ResourceSelectors []ResourceSelector `json:"resourceSelectors"`
	// Condition is a Lua function that judges the objects.
	Condition string `json:"condition"`
}

// ResourceSelector selects objects of one kind.
type ResourceSelector struct {
	// Group of the kind; empty for the core group.
	Group string `json:"group"`
	// Version of the kind.
	Version string `json:"version"`
	// Kind of the objects.
	// +kubebuilder:validation:MinLength=1
	Kind string `json:"kind"`
	// LabelFilters select objects by their labels.
	//
	// Deprecated: use selector.
	// +optional
	LabelFilters []LabelFilter `json:"labelFilters,omitempty"`
	// Selector selects objects by their labels.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// Namespace of the objects. Empty means all.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the object. Empty means all.
	// +optional
	Name string `json:"name,omitempty"`
	// Evaluate is a Lua function that accepts or refuses an object.
	// +optional
	Evaluate string `json:"evaluate,omitempty"`
	// EvaluateCEL are expressions; an object is accepted if one of them is true.
	// +optional
	EvaluateCEL []CELRule `json:"evaluateCEL,omitempty"`
}

// LabelFilter compares a label.
type LabelFilter struct {
	// Key of the label.
	Key string `json:"key"`
	// Operation is the kind of comparison.
	// +kubebuilder:validation:Enum=Equal;Different;Has;DoesNotHave
	Operation string `json:"operation"`
	// Value to compare with.
	// +optional
	Value string `json:"value,omitempty"`
}

// CELRule is an expression with a name.
type CELRule struct {
	// Name of the rule.
	Name string `json:"name"`
	// Rule in CEL over "resource".
	Rule string `json:"rule"`
}

// WorkloadIdentityProvider names a cloud.
// +kubebuilder:validation:Enum=AWS;GCP;Azure
type WorkloadIdentityProvider string

// SecretName names a Secret in the namespace of the object.
// +structType=atomic
type SecretName struct {
	// Name of the Secret.
	// +kubebuilder:default=""
	// +optional
	Name string `json:"name,omitempty"`
}

// WorkloadIdentity signs in at a cloud's cluster without a kubeconfig.
// +kubebuilder:validation:XValidation:rule="(self.provider == 'AWS') == has(self.aws)",message="aws must be set if and only if provider is AWS"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'GCP') == has(self.gcp)",message="gcp must be set if and only if provider is GCP"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'Azure') == has(self.azure)",message="azure must be set if and only if provider is Azure"
type WorkloadIdentity struct {
	// Provider is the cloud.
	Provider WorkloadIdentityProvider `json:"provider"`
	// Endpoint is the address of the API server.
	// +kubebuilder:validation:MinLength=1
	Endpoint string `json:"endpoint"`
	// CASecretRef names the Secret with the authority of the API server.
	// +optional
	CASecretRef *SecretName `json:"caSecretRef,omitempty"`
	// AWS says which cluster it is.
	// +optional
	AWS *AWSCluster `json:"aws,omitempty"`
	// GCP says which cluster it is.
	// +optional
	GCP *GCPCluster `json:"gcp,omitempty"`
	// Azure says which cluster it is.
	// +optional
	Azure *AzureCluster `json:"azure,omitempty"`
}

// AWSCluster is a cluster of AWS.
type AWSCluster struct {
	// Region of the cluster.
	// +optional
	Region string `json:"region,omitempty"`
	// ClusterName is the name of the cluster.
	// +kubebuilder:validation:MinLength=1
	ClusterName string `json:"clusterName"`
	// RoleARN is the role to take on.
	// +optional
	RoleARN string `json:"roleARN,omitempty"`
}

// GCPCluster is a cluster of Google Cloud.
type GCPCluster struct {
	// ProjectID of the cluster.
	// +kubebuilder:validation:MinLength=1
	ProjectID string `json:"projectID"`
	// ClusterName is the name of the cluster.
	// +kubebuilder:validation:MinLength=1
	ClusterName string `json:"clusterName"`
	// Location of the cluster: a zone or a region.
	// +kubebuilder:validation:MinLength=1
	Location string `json:"location"`
}

// AzureCluster is a cluster of Azure.
type AzureCluster struct {
	// TenantID that the identity belongs to.
	// +kubebuilder:validation:MinLength=1
	TenantID string `json:"tenantID"`
	// ClientID of the identity.
	// +kubebuilder:validation:MinLength=1
	ClientID string `json:"clientID"`
	// SubscriptionID that the cluster belongs to.
	// +optional
	SubscriptionID string `json:"subscriptionID,omitempty"`
	// ResourceGroup that the cluster belongs to.
	// +optional
	ResourceGroup string `json:"resourceGroup,omitempty"`
	// ClusterName is the name of the cluster.
	// +optional
	ClusterName string `json:"clusterName,omitempty"`
}

// ConnectionStatus says whether a cluster answers.
// +kubebuilder:validation:Enum=Healthy;Down
type ConnectionStatus string

const (
	// ConnectionHealthy means that the cluster answers.
	ConnectionHealthy ConnectionStatus = "Healthy"
	// ConnectionDown means that the cluster does not answer.
	ConnectionDown ConnectionStatus = "Down"
)

// SveltosClusterStatus says whether a cluster can be worked on.
type SveltosClusterStatus struct {
	// Version is the Kubernetes version of the cluster.
	// +optional
	Version string `json:"version,omitempty"`
	// Ready is true when the cluster can be worked on.
	// +optional
	Ready bool `json:"ready,omitempty"`
	// ConnectionStatus says whether the cluster answers.
	// +optional
	ConnectionStatus ConnectionStatus `json:"connectionStatus,omitempty"`
	// FailureMessage says what is wrong.
	// +optional
	FailureMessage *string `json:"failureMessage,omitempty"`
	// LastReconciledTokenRequestAt is when the token was renewed last.
	// +optional
	LastReconciledTokenRequestAt string `json:"lastReconciledTokenRequestAt,omitempty"`
	// NextPause is when the active window ends.
	// +optional
	NextPause *metav1.Time `json:"nextPause,omitempty"`
	// NextUnpause is when the active window begins.
	// +optional
	NextUnpause *metav1.Time `json:"nextUnpause,omitempty"`
	// ConnectionFailures is how often in a row the cluster did not answer.
	// +kubebuilder:default=0
	// +optional
	ConnectionFailures int `json:"connectionFailures,omitempty"`
	// AgentLastReportTime is when the agent on the cluster reported last.
	// +optional
	AgentLastReportTime *metav1.Time `json:"agentLastReportTime,omitempty"`
	// ActiveWindowHash is a digest of the active window.
	// +optional
	ActiveWindowHash []byte `json:"activeWindowHash,omitempty"`
}

// SveltosCluster stands for a cluster that Cluster API did not make.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=sveltosclusters,scope=Namespaced
// +kubebuilder:printcolumn:name="Ready",type=boolean,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="ConnectionStatus",type=string,JSONPath=`.status.connectionStatus`,priority=1
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Shard",type=string,JSONPath=`.metadata.annotations['sharding\.projectsveltos\.io/key']`
type SveltosCluster struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says how the cluster is reached.
	// +optional
	Spec SveltosClusterSpec `json:"spec,omitempty"`
	// Status says whether the cluster can be worked on.
	// +optional
	Status SveltosClusterStatus `json:"status,omitempty"`
}

// SveltosClusterList is a list of objects of kind SveltosCluster.
//
// +kubebuilder:object:root=true
type SveltosClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []SveltosCluster `json:"items"`
}
