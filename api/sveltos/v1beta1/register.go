package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of this package.
var GroupVersion = schema.GroupVersion{Group: "lib.projectsveltos.io", Version: "v1beta1"}

// SveltosClusterKind is the name of the kind.
const SveltosClusterKind = "SveltosCluster"

// AddToScheme makes the kinds of this package known to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &SveltosCluster{}, &SveltosClusterList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
