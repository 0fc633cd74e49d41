package v1beta1

// HelmSpec says where a Helm chart comes from; exactly one of the three is set.
// +kubebuilder:validation:XValidation:rule="(has(self.chartSpec) ? (!has(self.chartSource) && !has(self.chartRef)): true)",message="chartSpec, chartSource and chartRef are mutually exclusive"
// +kubebuilder:validation:XValidation:rule="(has(self.chartSource) ? (!has(self.chartSpec) && !has(self.chartRef)): true)",message="chartSpec, chartSource and chartRef are mutually exclusive"
// +kubebuilder:validation:XValidation:rule="(has(self.chartRef) ? (!has(self.chartSpec) && !has(self.chartSource)): true)",message="chartSpec, chartSource and chartRef are mutually exclusive"
// +kubebuilder:validation:XValidation:rule="has(self.chartSpec) || has(self.chartRef) || has(self.chartSource)",message="one of chartSpec, chartRef or chartSource must be set"
type HelmSpec struct {
	// ChartSpec describes a HelmChart that is made for this template.
	// +optional
	ChartSpec *HelmChartSpec `json:"chartSpec,omitempty"`
	// ChartRef points to a HelmChart that exists.
	// +optional
	ChartRef *CrossNamespaceSourceReference `json:"chartRef,omitempty"`
	// ChartSource is a source whose files are the chart. Service templates alone may use it.
	// +kubebuilder:validation:XValidation:rule="has(self.localSourceRef) ? (self.localSourceRef.kind != 'Secret' && self.localSourceRef.kind != 'ConfigMap'): true",message="Secret and ConfigMap are not supported as Helm chart sources"
	// +optional
	ChartSource *SourceSpec `json:"chartSource,omitempty"`
}

// TemplateStatus is what every kind of template reports.
type TemplateStatus struct {
	// ChartRef points to the HelmChart that the template uses.
	// +optional
	ChartRef *CrossNamespaceSourceReference `json:"chartRef,omitempty"`
	// Config holds the default values of the chart.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Config *JSON `json:"config,omitempty"`
	// ChartVersion is the version of the chart.
	// +optional
	ChartVersion string `json:"chartVersion,omitempty"`
	// Description is the description of the chart.
	// +optional
	Description string `json:"description,omitempty"`
	// SchemaConfigMapName names the ConfigMap that holds the schema of the chart's values
	// under the key "schema". Empty if the chart has none.
	// +optional
	SchemaConfigMapName string `json:"schemaConfigMapName,omitempty"`

	TemplateValidationStatus `json:",inline"`

	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// TemplateValidationStatus says whether a template can be used.
type TemplateValidationStatus struct {
	// ValidationError says why the template cannot be used.
	// +optional
	ValidationError string `json:"validationError,omitempty"`
	// Valid is true if the template can be used.
	Valid bool `json:"valid"`
}

// Contracts maps a contract to the contracts that go with it, joined by underscores, for
// instance v1beta1 to v1beta1_v1beta2.
type Contracts map[string]string

// TemplateChainSpec is a graph of upgrades: templates, and the steps between them.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="Spec is immutable"
type TemplateChainSpec struct {
	// SupportedTemplates are the templates of the chain, and what each can be upgraded to.
	// +listType=map
	// +listMapKey=name
	// +optional
	SupportedTemplates []SupportedTemplate `json:"supportedTemplates,omitempty"`
}

// SupportedTemplate is one template of a chain.
type SupportedTemplate struct {
	// Name of the template, in the namespace of the chain.
	Name string `json:"name"`
	// AvailableUpgrades are the templates that one step leads to. Each is listed in
	// SupportedTemplates too.
	// +optional
	AvailableUpgrades []AvailableUpgrade `json:"availableUpgrades,omitempty"`
}

// AvailableUpgrade is one step of a chain.
type AvailableUpgrade struct {
	// Name of the template that the step leads to.
	Name string `json:"name"`
	// Version that the step leads to. Within one template either all steps have one or none.
	// +optional
	Version string `json:"version,omitempty"`
}

// TemplateChainStatus says whether a chain can be used.
type TemplateChainStatus struct {
	// ValidationError says what is wrong with the chain.
	// +optional
	ValidationError string `json:"validationError,omitempty"`
	// Valid is true if the graph is consistent.
	// +optional
	Valid bool `json:"valid,omitempty"`
}
