package v1beta1

// Types of conditions that several kinds have.
const (
	// ReadyCondition sums up all others.
	ReadyCondition = "Ready"
	// DeletingCondition says how far the deletion is.
	DeletingCondition = "Deleting"
	// PausedCondition is true while nothing is done.
	PausedCondition = "Paused"
	// PredeclaredSecretsExistCondition is true when all Secrets named by the configuration exist.
	PredeclaredSecretsExistCondition = "PredeclaredSecretsExist"
	// CredentialReadyCondition is true when the credential can be used.
	CredentialReadyCondition = "CredentialReady"
	// ServicesInReadyStateCondition says how many services are deployed, of how many.
	ServicesInReadyStateCondition = "ServicesInReadyState"
	// ServicesDependencyValidationCondition is true when what services depend on is sound.
	ServicesDependencyValidationCondition = "ServicesDependencyValidation"
)

// Reasons that several kinds use.
const (
	// SucceededReason goes with what is as it should be.
	SucceededReason = "Succeeded"
	// FailedReason goes with what needs somebody to act.
	FailedReason = "Failed"
	// ProgressingReason goes with what is on its way.
	ProgressingReason = "Progressing"
	// DeletingReason goes with what is being deleted.
	DeletingReason = "Deleting"
	// PausedReason goes with what is paused.
	PausedReason = "Paused"
	// NotPausedReason goes with what is not paused.
	NotPausedReason = "NotPaused"
)

// Management and Region.
const (
	// RegistryCredentialSecretReadyCondition is true when clusters can get registry credentials.
	RegistryCredentialSecretReadyCondition = "RegistryCredentialSecretReady"

	// AllComponentsHealthyReason goes with Ready.
	AllComponentsHealthyReason = "AllComponentsHealthy"
	// NotAllComponentsHealthyReason means that a component is not healthy yet.
	NotAllComponentsHealthyReason = "NotAllComponentsHealthy"
	// ReleaseIsNotFoundReason means that there is no such Release.
	ReleaseIsNotFoundReason = "ReleaseIsNotFound"
	// ReleaseIsNotReadyReason means that templates of the Release cannot be used.
	ReleaseIsNotReadyReason = "ReleaseIsNotReady"
	// ReleaseIsNotObservedReason means that the Release has not been looked at yet.
	ReleaseIsNotObservedReason = "ReleaseIsNotObserved"
	// HasIncompatibleContractsReason means that providers do not fit together.
	HasIncompatibleContractsReason = "HasIncompatibleContracts"
	// ConfigurationErrorReason means that the region is not described well.
	ConfigurationErrorReason = "ConfigurationError"
)

// Release.
const (
	// TemplatesCreatedCondition is true when the templates of the release exist.
	TemplatesCreatedCondition = "TemplatesCreated"
	// TemplatesValidCondition is true when the templates of the release can be used.
	TemplatesValidCondition = "TemplatesValid"
)

// ClusterDeployment.
const (
	// TemplateReadyCondition is true when the template can be used.
	TemplateReadyCondition = "TemplateReady"
	// HelmChartReadyCondition is true when the chart is there and accepts the values.
	HelmChartReadyCondition = "HelmChartReady"
	// HelmReleaseReadyCondition is true when the release of the cluster is installed.
	HelmReleaseReadyCondition = "HelmReleaseReady"
	// CAPIClusterSummaryCondition sums up what Cluster API says.
	CAPIClusterSummaryCondition = "CAPIClusterSummary"
	// SveltosClusterReadyCondition is true when the adopted cluster answers.
	SveltosClusterReadyCondition = "SveltosClusterReady"
	// CloudResourcesDeletedCondition is true when load balancers and volumes are gone.
	CloudResourcesDeletedCondition = "CloudResourcesDeletedCondition"
	// ClusterAuthenticationReadyCondition is true when the authentication can be used.
	ClusterAuthenticationReadyCondition = "ClusterAuthenticationReady"
	// ClusterAuditPolicyReadyCondition is true when the audit policy can be used.
	ClusterAuditPolicyReadyCondition = "ClusterAuditPolicyReady"
	// DataSourceReadyCondition is true when the data source can be used.
	DataSourceReadyCondition = "DataSourceReady"
	// ClusterDataSourceReadyCondition is true when the database of the cluster can be used.
	ClusterDataSourceReadyCondition = "ClusterDataSourceReady"
	// HelmChartNameChangedCondition warns, when true, that the template changes the chart.
	HelmChartNameChangedCondition = "HelmChartNameChanged"

	// WaitingForCloudResourcesDeletionReason means that load balancers and volumes go first.
	WaitingForCloudResourcesDeletionReason = "WaitingForCloudResourcesDeletion"
	// WaitingForClusterDeletionReason means that the cluster is still there.
	WaitingForClusterDeletionReason = "WaitingForClusterDeletion"
	// WaitingForHelmReleaseDeletionReason means that the release is still there.
	WaitingForHelmReleaseDeletionReason = "WaitingForHelmReleaseDeletion"
	// WaitingForServiceSetsDeletionReason means that services are still there.
	WaitingForServiceSetsDeletionReason = "WaitingForServiceSetsDeletion"
	// WaitingForClusterDataSourceDeletionReason means that the database is still there.
	WaitingForClusterDataSourceDeletionReason = "WaitingForClusterDataSourceDeletion"
	// DeletionCompletedReason means that everything is gone.
	DeletionCompletedReason = "DeletionCompleted"
	// CAPIClusterMissingReason means that Cluster API does not know the cluster.
	CAPIClusterMissingReason = "CAPIClusterMissing"
	// CAPIIssuesReportedReason means that Cluster API reports problems.
	CAPIIssuesReportedReason = "IssuesReported"
	// CAPIUnknownReportedReason means that Cluster API cannot tell.
	CAPIUnknownReportedReason = "UnknownReported"
	// CAPIInfoReportedReason means that Cluster API reports no problem.
	CAPIInfoReportedReason = "InfoReported"
)

// MultiClusterService.
const (
	// ClusterInReadyStateCondition says on how many clusters all services are deployed.
	ClusterInReadyStateCondition = "ClusterInReadyState"
	// ServicesReferencesValidationCondition is true when templates of services can be used.
	ServicesReferencesValidationCondition = "ServicesReferencesValidation"
	// MultiClusterServiceDependencyValidationCondition is true when what the object depends on
	// is sound.
	MultiClusterServiceDependencyValidationCondition = "MultiClusterServiceDependencyValidation"
	// MultiClusterServiceDependencyReadyCondition is true when what the object depends on is
	// deployed everywhere.
	MultiClusterServiceDependencyReadyCondition = "MultiClusterServiceDependencyReady"
	// SveltosProfileReadyCondition is kept for compatibility.
	SveltosProfileReadyCondition = "SveltosProfileReady"
	// SveltosClusterProfileReadyCondition is kept for compatibility.
	SveltosClusterProfileReadyCondition = "SveltosClusterProfileReady"
	// SveltosHelmReleaseReadyCondition is kept for compatibility.
	SveltosHelmReleaseReadyCondition = "SveltosHelmReleaseReady"
	// FetchServicesStatusSuccessCondition is kept for compatibility.
	FetchServicesStatusSuccessCondition = "FetchServicesStatusSuccess"

	// MultiClusterServiceDependencyNotReadyReason means that another MultiClusterService is
	// not deployed yet.
	MultiClusterServiceDependencyNotReadyReason = "MultiClusterServiceDependencyNotReady"
	// MultiClusterServiceDependencyCheckFailedReason means that we could not tell.
	MultiClusterServiceDependencyCheckFailedReason = "MultiClusterServiceDependencyCheckFailed"
)

// ServiceSet.
const (
	// ServiceSetProfileCondition is true when the engine knows what to deploy.
	ServiceSetProfileCondition = "ServiceSetProfile"
	// ServiceSetStatusesCollectedCondition is true when the engine told how services are doing.
	ServiceSetStatusesCollectedCondition = "ServiceSetStatusesCollected"
	// ServiceSetHealthRulesCondition is true when all health rules can be used.
	ServiceSetHealthRulesCondition = "ServiceSetHealthRules"
	// ServiceHealthConditionPrefix, followed by a kind, is the type of the condition of a
	// service that is false when objects of the kind are not healthy.
	ServiceHealthConditionPrefix = "ServiceHealth"

	// ServiceSetProfileReadyReason goes with ServiceSetProfileCondition.
	ServiceSetProfileReadyReason = "ServiceSetProfileReady"
	// ServiceSetProfileNotReadyReason means that the engine is not told yet.
	ServiceSetProfileNotReadyReason = "ServiceSetProfileNotReady"
	// ServiceSetProfileBuildFailedReason means that the engine cannot be told.
	ServiceSetProfileBuildFailedReason = "ServiceSetProfileBuildFailed"
	// ServiceSetHelmChartsBuildFailedReason means that a chart cannot be used.
	ServiceSetHelmChartsBuildFailedReason = "ServiceSetHelmChartsBuildFailed"
	// ServiceSetKustomizationRefsBuildFailedReason means that a kustomization cannot be used.
	ServiceSetKustomizationRefsBuildFailedReason = "ServiceSetKustomizationRefsBuildFailed"
	// ServiceSetPolicyRefsBuildFailedReason means that manifests cannot be used.
	ServiceSetPolicyRefsBuildFailedReason = "ServiceSetPolicyRefsBuildFailed"
	// ServiceSetStatusesCollectedReason goes with ServiceSetStatusesCollectedCondition.
	ServiceSetStatusesCollectedReason = "ServiceSetStatusesCollected"
	// ServiceSetStatusesNotCollectedReason means that the engine did not tell yet.
	ServiceSetStatusesNotCollectedReason = "ServiceSetStatusesNotCollected"
	// AllRulesValidReason goes with ServiceSetHealthRulesCondition.
	AllRulesValidReason = "AllRulesValid"
	// HealthRuleInvalidReason means that a health rule cannot be used.
	HealthRuleInvalidReason = "HealthRuleInvalid"
	// HealthRuleScopeMismatchReason means that a health rule is wrong about namespaces.
	HealthRuleScopeMismatchReason = "HealthRuleScopeMismatch"
	// UnhealthyReasonSuffix follows the kind in the reason of a health condition.
	UnhealthyReasonSuffix = "Unhealthy"
)

// StateManagementProvider.
const (
	// RBACReadyCondition is true when we may look at the parts of the engine.
	RBACReadyCondition = "RBACReady"
	// AdapterReadyCondition is true when the adapter is ready.
	AdapterReadyCondition = "AdapterReady"
	// ProvisionerReadyCondition is true when all provisioners are ready.
	ProvisionerReadyCondition = "ProvisionerReady"
	// ProvisionerCRDsReadyCondition is true when all kinds of the provisioners are served.
	ProvisionerCRDsReadyCondition = "ProvisionerCRDsReady"

	// EnsuredSuccessfullyReasonSuffix follows the part in the reason of what is ready: RBAC,
	// Adapter, Provisioner or ProvisionerCRDs.
	EnsuredSuccessfullyReasonSuffix = "EnsuredSuccessfully"
	// NotReadyReasonSuffix follows the part in the reason of what is not ready.
	NotReadyReasonSuffix = "NotReady"
	// UnknownReasonSuffix follows the part in the reason of what we could not tell.
	UnknownReasonSuffix = "Unknown"
	// FailedToGetGVKForAdapterReason means that the kind of the adapter is not served.
	FailedToGetGVKForAdapterReason = "FailedToGetGVKForAdapter"
	// FailedToGetGVKForProvisionerReason means that the kind of a provisioner is not served.
	FailedToGetGVKForProvisionerReason = "FailedToGetGVKForProvisioner"
	// FailedToEnsureClusterRoleReason means that the role could not be made.
	FailedToEnsureClusterRoleReason = "FailedToEnsureClusterRole"
	// FailedToEnsureClusterRoleBindingReason means that the role could not be bound.
	FailedToEnsureClusterRoleBindingReason = "FailedToEnsureClusterRoleBinding"
	// FailedToEnsureServiceAccountReason means that the account could not be made.
	FailedToEnsureServiceAccountReason = "FailedToEnsureServiceAccount"
	// FailedToGetAdapterReason means that an adapter or a provisioner could not be read.
	FailedToGetAdapterReason = "FailedToGetAdapter"
	// FailedToEvaluateReadinessReason means that a readiness rule cannot be used.
	FailedToEvaluateReadinessReason = "FailedToEvaluateReadiness"
)

// ClusterIPAMClaim.
const (
	// InvalidClaimCondition is there when the claim is not well-formed.
	InvalidClaimCondition = "InvalidClaimCondition"
	// IPAMProviderErrorCondition is there when the provider of addresses has failed.
	IPAMProviderErrorCondition = "IPAMProviderConditionError"
)
