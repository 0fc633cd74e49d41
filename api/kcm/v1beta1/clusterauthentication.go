package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterAuthenticationSpec says who may sign in.
type ClusterAuthenticationSpec struct {
	// AuthenticationConfiguration is the configuration of the API server.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	AuthenticationConfiguration *AuthenticationConfiguration `json:"authenticationConfiguration,omitempty"`
	// CASecret points to the certificates of the authority that the issuers' certificates
	// come from. They replace certificateAuthority of all issuers.
	// +optional
	CASecret *SecretKeyReference `json:"caSecret,omitempty"`
}

// ClusterAuthentication says who may sign in to clusters that name it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusterauthentications,scope=Namespaced,shortName=clauth
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
type ClusterAuthentication struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ClusterAuthenticationSpec `json:"spec,omitempty"`
}

// ClusterAuthenticationList is a list of objects of kind ClusterAuthentication.
//
// +kubebuilder:object:root=true
type ClusterAuthenticationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ClusterAuthentication `json:"items"`
}
