package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// This file restates the structs of Flux that templates are made of.

// CrossNamespaceSourceReference points to a source, possibly in another namespace.
type CrossNamespaceSourceReference struct {
	// APIVersion of the source.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the source. Templates accept HelmChart alone.
	// +kubebuilder:validation:Enum=OCIRepository;HelmChart;ExternalArtifact
	Kind string `json:"kind"`
	// Name of the source.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the source. Empty means that of the object that refers to it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// LocalHelmChartSourceReference points to the source of a chart in the same namespace.
type LocalHelmChartSourceReference struct {
	// APIVersion of the source.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the source.
	// +kubebuilder:validation:Enum=HelmRepository;GitRepository;Bucket
	Kind string `json:"kind"`
	// Name of the source.
	Name string `json:"name"`
}

// HelmChartSpec describes a chart in a source.
// +kubebuilder:validation:XValidation:rule="!has(self.verify) || self.sourceRef.kind == 'HelmRepository'",message="spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'"
type HelmChartSpec struct {
	// Chart is the name of the chart in a repository, or its path in another source.
	Chart string `json:"chart"`
	// Version is the version of the chart, or a range of versions. Only for repositories.
	// +kubebuilder:default=*
	// +optional
	Version string `json:"version,omitempty"`
	// SourceRef points to the source.
	SourceRef LocalHelmChartSourceReference `json:"sourceRef"`
	// Interval between two looks at the source.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"
	Interval metav1.Duration `json:"interval"`
	// ReconcileStrategy says what makes a new artifact: a new chart version, or a new revision
	// of the source.
	// +kubebuilder:validation:Enum=ChartVersion;Revision
	// +kubebuilder:default=ChartVersion
	// +optional
	ReconcileStrategy string `json:"reconcileStrategy,omitempty"`
	// ValuesFiles are paths of values files within the chart, merged in this order.
	// +optional
	ValuesFiles []string `json:"valuesFiles,omitempty"`
	// IgnoreMissingValuesFiles passes over values files that do not exist.
	// +optional
	IgnoreMissingValuesFiles bool `json:"ignoreMissingValuesFiles,omitempty"`
	// Suspend stops looking at the source.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// Verify checks who signed the chart.
	// +optional
	Verify *ChartVerification `json:"verify,omitempty"`
}

// ChartVerification says whose signature a chart needs.
type ChartVerification struct {
	// Provider is the tool that made the signature.
	// +kubebuilder:validation:Enum=cosign;notation
	// +kubebuilder:default=cosign
	Provider string `json:"provider"`
	// SecretRef points to the trusted public keys.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
	// MatchOIDCIdentity lists who may have signed without a key.
	// +optional
	MatchOIDCIdentity []OIDCIdentityMatch `json:"matchOIDCIdentity,omitempty"`
}

// OIDCIdentityMatch describes a signer without a key of their own.
type OIDCIdentityMatch struct {
	// Issuer is a regular expression for who vouches for the signer.
	Issuer string `json:"issuer"`
	// Subject is a regular expression for the signer.
	Subject string `json:"subject"`
}

// Artifact is what a source offers.
type Artifact struct {
	// Path of the file, relative to the root of the store.
	Path string `json:"path"`
	// URL that the file is served under.
	URL string `json:"url"`
	// Revision is a human-readable name of the state that the file was made from.
	Revision string `json:"revision"`
	// Digest of the file, as algorithm:checksum.
	// +kubebuilder:validation:Pattern="^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"
	Digest string `json:"digest"`
	// LastUpdateTime is when the file was made.
	LastUpdateTime metav1.Time `json:"lastUpdateTime"`
	// Size of the file in bytes.
	// +optional
	Size *int64 `json:"size,omitempty"`
	// Metadata are annotations of the source's own format.
	// +optional
	Metadata map[string]string `json:"metadata,omitempty"`
}

// GitRepositorySpec describes a Git repository.
// +kubebuilder:validation:XValidation:rule="!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))",message="serviceAccountName can only be set when provider is 'azure' or 'aws'"
type GitRepositorySpec struct {
	// URL of the repository.
	// +kubebuilder:validation:Pattern="^(http|https|ssh)://.*$"
	URL string `json:"url"`
	// SecretRef points to the credentials.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
	// Provider says how to sign in.
	// +kubebuilder:validation:Enum=generic;aws;azure;github
	// +optional
	Provider string `json:"provider,omitempty"`
	// ServiceAccountName names the account whose identity signs in at a cloud.
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// Interval between two looks at the repository.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"
	Interval metav1.Duration `json:"interval"`
	// Timeout bounds one look at the repository.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m))+$"
	// +kubebuilder:default="60s"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Reference says which state to take. Empty means the branch master.
	// +optional
	Reference *GitRepositoryRef `json:"ref,omitempty"`
	// Verification checks who signed the commit or tag.
	// +optional
	Verification *GitRepositoryVerification `json:"verify,omitempty"`
	// ProxySecretRef points to the proxy to go through.
	// +optional
	ProxySecretRef *LocalObjectReference `json:"proxySecretRef,omitempty"`
	// Ignore are patterns of files to leave out, in the form of a .gitignore file.
	// +optional
	Ignore *string `json:"ignore,omitempty"`
	// Suspend stops looking at the repository.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// RecurseSubmodules fetches submodules too.
	// +optional
	RecurseSubmodules bool `json:"recurseSubmodules,omitempty"`
	// Include adds the files of other repositories.
	// +optional
	Include []GitRepositoryInclude `json:"include,omitempty"`
	// SparseCheckout are the only folders to fetch. Empty means all.
	// +optional
	SparseCheckout []string `json:"sparseCheckout,omitempty"`
}

// GitRepositoryRef says which state of a repository to take.
type GitRepositoryRef struct {
	// Branch to take.
	// +optional
	Branch string `json:"branch,omitempty"`
	// Tag to take; wins over Branch.
	// +optional
	Tag string `json:"tag,omitempty"`
	// SemVer is a range: the newest tag within it is taken; wins over Tag.
	// +optional
	SemVer string `json:"semver,omitempty"`
	// Name is a full reference such as refs/heads/main; wins over SemVer.
	// +optional
	Name string `json:"name,omitempty"`
	// Commit to take; wins over all others.
	// +optional
	Commit string `json:"commit,omitempty"`
}

// GitRepositoryVerification says what has to be signed, and by whom.
type GitRepositoryVerification struct {
	// Mode says what has to be signed: the commit, the tag, or both.
	// +kubebuilder:validation:Enum=head;HEAD;Tag;TagAndHEAD
	// +kubebuilder:default=HEAD
	// +optional
	Mode string `json:"mode,omitempty"`
	// SecretRef points to the trusted public keys.
	SecretRef LocalObjectReference `json:"secretRef"`
}

// GitRepositoryInclude adds the files of another repository.
type GitRepositoryInclude struct {
	// GitRepositoryRef names the other GitRepository.
	GitRepositoryRef LocalObjectReference `json:"repository"`
	// FromPath is the folder to copy. Empty means the root.
	// +optional
	FromPath string `json:"fromPath,omitempty"`
	// ToPath is the folder to copy to. Empty means the name of the other GitRepository.
	// +optional
	ToPath string `json:"toPath,omitempty"`
}

// BucketSpec describes a bucket of an object store.
// +kubebuilder:validation:XValidation:rule="self.provider == 'aws' || self.provider == 'generic' || !has(self.sts)",message="STS configuration is only supported for the 'aws' and 'generic' Bucket providers"
// +kubebuilder:validation:XValidation:rule="self.provider != 'aws' || !has(self.sts) || self.sts.provider == 'aws'",message="'aws' is the only supported STS provider for the 'aws' Bucket provider"
// +kubebuilder:validation:XValidation:rule="self.provider != 'generic' || !has(self.sts) || self.sts.provider == 'ldap'",message="'ldap' is the only supported STS provider for the 'generic' Bucket provider"
// +kubebuilder:validation:XValidation:rule="!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.secretRef)",message="spec.sts.secretRef is not required for the 'aws' STS provider"
// +kubebuilder:validation:XValidation:rule="!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.certSecretRef)",message="spec.sts.certSecretRef is not required for the 'aws' STS provider"
// +kubebuilder:validation:XValidation:rule="self.provider != 'generic' || !has(self.serviceAccountName)",message="ServiceAccountName is not supported for the 'generic' Bucket provider"
// +kubebuilder:validation:XValidation:rule="!has(self.secretRef) || !has(self.serviceAccountName)",message="cannot set both .spec.secretRef and .spec.serviceAccountName"
type BucketSpec struct {
	// Provider says which object store it is, and so how to sign in.
	// +kubebuilder:validation:Enum=generic;aws;gcp;azure
	// +kubebuilder:default=generic
	// +optional
	Provider string `json:"provider,omitempty"`
	// BucketName is the name of the bucket.
	BucketName string `json:"bucketName"`
	// Endpoint is the address of the object store.
	Endpoint string `json:"endpoint"`
	// STS says where temporary credentials come from.
	// +optional
	STS *BucketSTSSpec `json:"sts,omitempty"`
	// Insecure allows an endpoint without TLS.
	// +optional
	Insecure bool `json:"insecure,omitempty"`
	// Region of the endpoint.
	// +optional
	Region string `json:"region,omitempty"`
	// Prefix that the names of wanted files begin with.
	// +optional
	Prefix string `json:"prefix,omitempty"`
	// SecretRef points to the credentials.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
	// ServiceAccountName names the account whose identity signs in at a cloud.
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// CertSecretRef points to certificates for the endpoint.
	// +optional
	CertSecretRef *LocalObjectReference `json:"certSecretRef,omitempty"`
	// ProxySecretRef points to the proxy to go through.
	// +optional
	ProxySecretRef *LocalObjectReference `json:"proxySecretRef,omitempty"`
	// Interval between two looks at the bucket.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"
	Interval metav1.Duration `json:"interval"`
	// Timeout bounds one look at the bucket.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m))+$"
	// +kubebuilder:default="60s"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Ignore are patterns of files to leave out, in the form of a .gitignore file.
	// +optional
	Ignore *string `json:"ignore,omitempty"`
	// Suspend stops looking at the bucket.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// BucketSTSSpec says where temporary credentials come from.
type BucketSTSSpec struct {
	// Provider of the credentials.
	// +kubebuilder:validation:Enum=aws;ldap
	Provider string `json:"provider"`
	// Endpoint that hands the credentials out.
	// +kubebuilder:validation:Pattern="^(http|https)://.*$"
	Endpoint string `json:"endpoint"`
	// SecretRef points to the user name and password for the endpoint.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
	// CertSecretRef points to certificates for the endpoint.
	// +optional
	CertSecretRef *LocalObjectReference `json:"certSecretRef,omitempty"`
}

// OCIRepositorySpec describes a repository of OCI artifacts.
type OCIRepositorySpec struct {
	// URL of the repository, without a tag.
	// +kubebuilder:validation:Pattern="^oci://.*$"
	URL string `json:"url"`
	// Reference says which artifact to take. Empty means the tag latest.
	// +optional
	Reference *OCIRepositoryRef `json:"ref,omitempty"`
	// LayerSelector says which layer of the artifact to take. Empty means the first.
	// +optional
	LayerSelector *OCILayerSelector `json:"layerSelector,omitempty"`
	// Provider says how to sign in.
	// +kubebuilder:validation:Enum=generic;aws;azure;gcp
	// +kubebuilder:default=generic
	// +optional
	Provider string `json:"provider,omitempty"`
	// SecretRef points to the credentials.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
	// Verify checks who signed the artifact.
	// +optional
	Verify *OCIRepositoryVerification `json:"verify,omitempty"`
	// ServiceAccountName names the account whose identity or pull secrets sign in.
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// CertSecretRef points to certificates for the registry.
	// +optional
	CertSecretRef *LocalObjectReference `json:"certSecretRef,omitempty"`
	// ProxySecretRef points to the proxy to go through.
	// +optional
	ProxySecretRef *LocalObjectReference `json:"proxySecretRef,omitempty"`
	// Interval between two looks at the repository.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"
	Interval metav1.Duration `json:"interval"`
	// Timeout bounds one look at the repository.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern="^([0-9]+(\\.[0-9]+)?(ms|s|m))+$"
	// +kubebuilder:default="60s"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Ignore are patterns of files to leave out, in the form of a .gitignore file.
	// +optional
	Ignore *string `json:"ignore,omitempty"`
	// Insecure allows a registry without TLS.
	// +optional
	Insecure bool `json:"insecure,omitempty"`
	// Suspend stops looking at the repository.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// OCIRepositoryRef says which artifact of a repository to take.
type OCIRepositoryRef struct {
	// Digest of the artifact; wins over all others.
	// +optional
	Digest string `json:"digest,omitempty"`
	// SemVer is a range: the newest tag within it is taken; wins over Tag.
	// +optional
	SemVer string `json:"semver,omitempty"`
	// SemverFilter is a regular expression for the tags that SemVer looks at.
	// +optional
	SemverFilter string `json:"semverFilter,omitempty"`
	// Tag to take.
	// +optional
	Tag string `json:"tag,omitempty"`
}

// OCILayerSelector says which layer of an artifact to take, and how.
type OCILayerSelector struct {
	// MediaType of the layer; the first with it is taken.
	// +optional
	MediaType string `json:"mediaType,omitempty"`
	// Operation says whether the layer is unpacked or copied as it is.
	// +kubebuilder:validation:Enum=extract;copy
	// +optional
	Operation string `json:"operation,omitempty"`
}

// OCIRepositoryVerification says whose signature an artifact needs.
type OCIRepositoryVerification struct {
	// Provider is the tool that made the signature.
	// +kubebuilder:validation:Enum=cosign;notation
	// +kubebuilder:default=cosign
	Provider string `json:"provider"`
	// SecretRef points to the trusted public keys.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`
	// TrustedRootSecretRef points to the trusted root of a private signing service.
	// +optional
	TrustedRootSecretRef *LocalObjectReference `json:"trustedRootSecretRef,omitempty"`
	// MatchOIDCIdentity lists who may have signed without a key.
	// +optional
	MatchOIDCIdentity []OIDCIdentityMatch `json:"matchOIDCIdentity,omitempty"`
}
