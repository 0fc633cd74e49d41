package controlplane

// ManagementControllers are the controllers of kube-controller-manager that a control plane
// without nodes and pods needs: those that keep the API's own promises (namespaces empty out,
// owners take their dependents along, roles aggregate, service accounts have tokens).
func ManagementControllers() []string {
	return []string{
		"certificatesigningrequest-cleaner-controller",
		"clusterrole-aggregation-controller",
		"garbage-collector-controller",
		"namespace-controller",
		"resourcequota-controller",
		"root-ca-certificate-publisher-controller",
		"serviceaccount-controller",
		"serviceaccount-token-controller",
		"validatingadmissionpolicy-status-controller",
	}
}
