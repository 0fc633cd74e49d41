package flux

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kind HelmRelease, as far as this engine writes and reads it. The API server, which has
// its whole schema, refuses a field that is not there.
var helmReleases = schema.GroupVersion{Group: "helm.toolkit.fluxcd.io", Version: "v2"}

func addToScheme(s *runtime.Scheme) {
	s.AddKnownTypeWithName(helmReleases.WithKind("HelmRelease"), &helmRelease{})
	s.AddKnownTypeWithName(helmReleases.WithKind("HelmReleaseList"), &helmReleaseList{})
	metav1.AddToGroupVersion(s, helmReleases)
}

type helmRelease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec and Status are never changed once they are here: copies share them.
	Spec   *helmReleaseSpec   `json:"spec,omitempty"`
	Status *helmReleaseStatus `json:"status,omitempty"`
}

type helmReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []helmRelease `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (r *helmRelease) DeepCopyObject() runtime.Object { return r.copy() }

func (r *helmRelease) copy() *helmRelease {
	out := *r
	r.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (l *helmReleaseList) DeepCopyObject() runtime.Object {
	out := *l
	l.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]helmRelease, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].copy()
	}
	return &out
}

type helmReleaseSpec struct {
	ChartRef         chartRef        `json:"chartRef"`
	Interval         metav1.Duration `json:"interval"`
	KubeConfig       *kubeConfig     `json:"kubeConfig,omitempty"`
	Suspend          bool            `json:"suspend,omitempty"`
	ReleaseName      string          `json:"releaseName"`
	TargetNamespace  string          `json:"targetNamespace"`
	StorageNamespace string          `json:"storageNamespace"`
	Timeout          metav1.Duration `json:"timeout"`
	MaxHistory       int             `json:"maxHistory"`
	DriftDetection   driftDetection  `json:"driftDetection"`
	Install          install         `json:"install"`
	Upgrade          upgrade         `json:"upgrade"`
	Rollback         rollback        `json:"rollback"`
	Uninstall        uninstall       `json:"uninstall"`
	ValuesFrom       []valuesRef     `json:"valuesFrom,omitempty"`
	PostRenderers    []postRenderer  `json:"postRenderers,omitempty"`
}

type chartRef struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

type kubeConfig struct {
	SecretRef secretRef `json:"secretRef"`
}

type valuesRef struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Key  string `json:"valuesKey,omitempty"`
}

type secretRef struct {
	Name string `json:"name"`
	Key  string `json:"key,omitempty"`
}

type driftDetection struct {
	Mode   string       `json:"mode"`
	Ignore []ignoreRule `json:"ignore,omitempty"`
}

type ignoreRule struct {
	Paths  []string  `json:"paths"`
	Target *selector `json:"target,omitempty"`
}

type selector struct {
	Group              string `json:"group,omitempty"`
	Version            string `json:"version,omitempty"`
	Kind               string `json:"kind,omitempty"`
	Namespace          string `json:"namespace,omitempty"`
	Name               string `json:"name,omitempty"`
	LabelSelector      string `json:"labelSelector,omitempty"`
	AnnotationSelector string `json:"annotationSelector,omitempty"`
}

type strategy struct {
	Name          string           `json:"name"`
	RetryInterval *metav1.Duration `json:"retryInterval,omitempty"`
}

type remediation struct {
	Retries              int    `json:"retries"`
	RemediateLastFailure bool   `json:"remediateLastFailure"`
	Strategy             string `json:"strategy,omitempty"`
}

type install struct {
	Strategy                 strategy     `json:"strategy"`
	Remediation              *remediation `json:"remediation,omitempty"`
	DisableTakeOwnership     bool         `json:"disableTakeOwnership,omitempty"`
	DisableWait              bool         `json:"disableWait,omitempty"`
	DisableWaitForJobs       bool         `json:"disableWaitForJobs,omitempty"`
	DisableHooks             bool         `json:"disableHooks,omitempty"`
	DisableOpenAPIValidation bool         `json:"disableOpenAPIValidation,omitempty"`
	DisableSchemaValidation  bool         `json:"disableSchemaValidation,omitempty"`
	Replace                  bool         `json:"replace,omitempty"`
	CRDs                     string       `json:"crds"`
	CreateNamespace          bool         `json:"createNamespace,omitempty"`
	ServerSideApply          *bool        `json:"serverSideApply,omitempty"`
}

type upgrade struct {
	Strategy                 strategy     `json:"strategy"`
	Remediation              *remediation `json:"remediation,omitempty"`
	DisableTakeOwnership     bool         `json:"disableTakeOwnership,omitempty"`
	DisableWait              bool         `json:"disableWait,omitempty"`
	DisableWaitForJobs       bool         `json:"disableWaitForJobs,omitempty"`
	DisableHooks             bool         `json:"disableHooks,omitempty"`
	DisableOpenAPIValidation bool         `json:"disableOpenAPIValidation,omitempty"`
	DisableSchemaValidation  bool         `json:"disableSchemaValidation,omitempty"`
	Force                    bool         `json:"force,omitempty"`
	PreserveValues           bool         `json:"preserveValues,omitempty"`
	CleanupOnFail            bool         `json:"cleanupOnFail,omitempty"`
	CRDs                     string       `json:"crds"`
	ServerSideApply          string       `json:"serverSideApply,omitempty"`
	ChartNameChangeStrategy  string       `json:"chartNameChangeStrategy"`
}

type rollback struct {
	DisableWait        bool `json:"disableWait,omitempty"`
	DisableWaitForJobs bool `json:"disableWaitForJobs,omitempty"`
	DisableHooks       bool `json:"disableHooks,omitempty"`
	CleanupOnFail      bool `json:"cleanupOnFail,omitempty"`
}

type uninstall struct {
	DisableHooks        bool   `json:"disableHooks,omitempty"`
	KeepHistory         bool   `json:"keepHistory,omitempty"`
	DisableWait         bool   `json:"disableWait,omitempty"`
	DeletionPropagation string `json:"deletionPropagation,omitempty"`
}

type postRenderer struct {
	Kustomize kustomize `json:"kustomize"`
}

type kustomize struct {
	Patches []patch `json:"patches"`
}

type patch struct {
	Patch  string    `json:"patch"`
	Target *selector `json:"target,omitempty"`
}

type helmReleaseStatus struct {
	ObservedGeneration     int64              `json:"observedGeneration,omitempty"`
	Conditions             []metav1.Condition `json:"conditions,omitempty"`
	History                []snapshot         `json:"history,omitempty"`
	Failures               int64              `json:"failures,omitempty"`
	LastHandledReconcileAt string             `json:"lastHandledReconcileAt,omitempty"`

	ObservedPostRenderersDigest string `json:"observedPostRenderersDigest,omitempty"`
}

type snapshot struct {
	Version      int    `json:"version"`
	Status       string `json:"status"`
	ChartName    string `json:"chartName"`
	ChartVersion string `json:"chartVersion"`
	ConfigDigest string `json:"configDigest"`
	OCIDigest    string `json:"ociDigest,omitempty"`
}
