package v1beta1

// Core are the components that a management or regional cluster cannot do without.
type Core struct {
	// KCM overrides the component that holds Portico itself.
	// +optional
	KCM Component `json:"kcm,omitempty"`
	// CAPI overrides the component that holds Cluster API.
	// +optional
	CAPI Component `json:"capi,omitempty"`
}

// Component says which template a component is made from, and with which values.
type Component struct {
	// Config holds values for the chart of the template.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Config *JSON `json:"config,omitempty"`
	// Template is the name of a ProviderTemplate. Empty means the one of the release.
	// +optional
	Template string `json:"template,omitempty"`
}

// Provider is a component that is not part of the core.
type Provider struct {
	// Name of the provider, as the release calls it.
	Name string `json:"name"`

	Component `json:",inline"`
}

// ComponentStatus says how a component is doing.
type ComponentStatus struct {
	// Template is the ProviderTemplate that the component was made from.
	// +optional
	Template string `json:"template,omitempty"`
	// Error says what is wrong with the component.
	// +optional
	Error string `json:"error,omitempty"`
	// ExposedProviders are the Cluster API providers that the component brings.
	// +optional
	ExposedProviders []string `json:"exposedProviders,omitempty"`
	// Success is true when the component is installed and healthy.
	// +optional
	Success bool `json:"success,omitempty"`
}

// ComponentsStatus says which components a cluster has, and what they offer.
type ComponentsStatus struct {
	// CAPIContracts says, by provider and by contract of Cluster API, which contracts the
	// provider implements.
	// +optional
	CAPIContracts map[string]Contracts `json:"capiContracts,omitempty"`
	// Components says how each component is doing, by its name.
	// +optional
	Components map[string]ComponentStatus `json:"components,omitempty"`
	// AvailableProviders are the providers of all healthy components, sorted.
	// +optional
	AvailableProviders []string `json:"availableProviders,omitempty"`
}
