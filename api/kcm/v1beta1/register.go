package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of this package.
var GroupVersion = schema.GroupVersion{Group: "k0rdent.mirantis.com", Version: "v1beta1"}

// The names of the kinds.
const (
	AccessManagementKind        = "AccessManagement"
	ClusterAuditPolicyKind      = "ClusterAuditPolicy"
	ClusterAuthenticationKind   = "ClusterAuthentication"
	ClusterDataSourceKind       = "ClusterDataSource"
	ClusterDeploymentKind       = "ClusterDeployment"
	ClusterIPAMKind             = "ClusterIPAM"
	ClusterIPAMClaimKind        = "ClusterIPAMClaim"
	ClusterTemplateKind         = "ClusterTemplate"
	ClusterTemplateChainKind    = "ClusterTemplateChain"
	CredentialKind              = "Credential"
	DataSourceKind              = "DataSource"
	ManagementKind              = "Management"
	ManagementBackupKind        = "ManagementBackup"
	MultiClusterServiceKind     = "MultiClusterService"
	ProviderInterfaceKind       = "ProviderInterface"
	ProviderTemplateKind        = "ProviderTemplate"
	RegionKind                  = "Region"
	ReleaseKind                 = "Release"
	ServiceSetKind              = "ServiceSet"
	ServiceTemplateKind         = "ServiceTemplate"
	ServiceTemplateChainKind    = "ServiceTemplateChain"
	StateManagementProviderKind = "StateManagementProvider"
)

// AddToScheme makes the kinds of this package known to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&AccessManagement{}, &AccessManagementList{},
		&ClusterAuditPolicy{}, &ClusterAuditPolicyList{},
		&ClusterAuthentication{}, &ClusterAuthenticationList{},
		&ClusterDataSource{}, &ClusterDataSourceList{},
		&ClusterDeployment{}, &ClusterDeploymentList{},
		&ClusterIPAM{}, &ClusterIPAMList{},
		&ClusterIPAMClaim{}, &ClusterIPAMClaimList{},
		&ClusterTemplate{}, &ClusterTemplateList{},
		&ClusterTemplateChain{}, &ClusterTemplateChainList{},
		&Credential{}, &CredentialList{},
		&DataSource{}, &DataSourceList{},
		&Management{}, &ManagementList{},
		&ManagementBackup{}, &ManagementBackupList{},
		&MultiClusterService{}, &MultiClusterServiceList{},
		&ProviderInterface{}, &ProviderInterfaceList{},
		&ProviderTemplate{}, &ProviderTemplateList{},
		&Region{}, &RegionList{},
		&Release{}, &ReleaseList{},
		&ServiceSet{}, &ServiceSetList{},
		&ServiceTemplate{}, &ServiceTemplateList{},
		&ServiceTemplateChain{}, &ServiceTemplateChainList{},
		&StateManagementProvider{}, &StateManagementProviderList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
