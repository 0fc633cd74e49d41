package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BudgetSpec says what may be spent in a calendar month of UTC.
type BudgetSpec struct {
	// For says whose costs count. Empty are those of all clusters that the object is about: the
	// clusters of its namespace, and in the system namespace those of all.
	// +optional
	For BudgetScope `json:"for,omitzero"`
	// Monthly is the amount.
	// +kubebuilder:validation:XValidation:rule="double(self) > 0.0",message="write more than 0"
	Monthly Decimal `json:"monthly"`
	// Currency of the amount, as ISO 4217 writes it; that of the price lists where it is left out.
	// +kubebuilder:validation:Pattern=`^[A-Z]{3}$`
	// +optional
	Currency string `json:"currency,omitempty"`
	// Thresholds are percent of the amount; crossing one is an event.
	// +kubebuilder:default={50,80,100}
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=1000
	// +listType=set
	// +optional
	Thresholds []int32 `json:"thresholds,omitempty"`
}

// BudgetScope says whose costs count: all that is written has to match.
type BudgetScope struct {
	// Tenant of the clusters.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Tenant string `json:"tenant,omitempty"`
	// Cluster is the name of a ClusterDeployment; in the system namespace, namespace/name of one in
	// another.
	// +kubebuilder:validation:MaxLength=317
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// Namespace on the clusters.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Label of pods on the clusters.
	// +optional
	Label *PodLabel `json:"label,omitempty"`
}

// Standing is how a budget stands, from good to bad.
// +kubebuilder:validation:Enum=Within;AtRisk;Crossed;Exceeded
type Standing string

// The standings.
const (
	// Within: below the least threshold, and expected to stay below the amount.
	Within Standing = "Within"
	// AtRisk: expected to exceed the amount before the month ends.
	AtRisk Standing = "AtRisk"
	// Crossed: past a threshold.
	Crossed Standing = "Crossed"
	// Exceeded: above the amount.
	Exceeded Standing = "Exceeded"
)

// BudgetStatus says what was spent, and what the month will come to.
type BudgetStatus struct {
	// ObservedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Month that the figures are of, such as 2026-11.
	// +optional
	Month string `json:"month,omitempty"`
	// Tenant is who is told of the budget's alerts: that of spec.for, or that of all clusters of the
	// namespace, or else PORTICO, the management plane's own.
	// +optional
	Tenant string `json:"tenant,omitempty"`
	// Currency of the figures.
	// +optional
	Currency string `json:"currency,omitempty"`
	// Limit is the month's amount, Spent what was spent of it until Judged; with two decimals.
	// +optional
	Limit string `json:"limit,omitempty"`
	// +optional
	Spent string `json:"spent,omitempty"`
	// Percent of the amount that is spent, rounded down.
	// +optional
	Percent int32 `json:"percent,omitempty"`
	// Forecast is what the month will come to.
	// +optional
	Forecast *BudgetForecast `json:"forecast,omitempty"`
	// Standing in one word.
	// +optional
	Standing Standing `json:"standing,omitempty"`
	// Crossed are the thresholds that were reached, in rising order.
	// +listType=atomic
	// +optional
	Crossed []int32 `json:"crossed,omitempty"`
	// Judged is when the figures were made, Next when they will be made anew.
	// +optional
	Judged *metav1.Time `json:"judged,omitempty"`
	// +optional
	Next *metav1.Time `json:"next,omitempty"`
	// Prices is the digest of the prices that the figures were made with.
	// +optional
	Prices string `json:"prices,omitempty"`
	// Conditions say in detail how the object is doing.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// BudgetForecast is what a month will come to.
type BudgetForecast struct {
	// Total is the forecast, Low and High are where it lies in four cases of five.
	Total string `json:"total"`
	Low   string `json:"low"`
	High  string `json:"high"`
	// Sureness says how much it is worth.
	Sureness string `json:"sureness"`
}

// Budget limits what clusters may cost in a month, and tells when it will not last. It stops nothing.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=budgets,scope=Namespaced
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=Limit,type=string,JSONPath=`.status.limit`
// +kubebuilder:printcolumn:name=Spent,type=string,JSONPath=`.status.spent`
// +kubebuilder:printcolumn:name=Percent,type=integer,JSONPath=`.status.percent`
// +kubebuilder:printcolumn:name=Forecast,type=string,JSONPath=`.status.forecast.total`
// +kubebuilder:printcolumn:name=Currency,type=string,JSONPath=`.status.currency`
// +kubebuilder:printcolumn:name=Standing,type=string,JSONPath=`.status.standing`
// +kubebuilder:printcolumn:name=Judged,type=date,JSONPath=`.status.judged`
// +kubebuilder:printcolumn:name=Message,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type Budget struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	Spec BudgetSpec `json:"spec"`
	// Status is what was observed.
	// +optional
	Status BudgetStatus `json:"status,omitempty"`
}

// GetConditions returns the conditions of the status.
func (b *Budget) GetConditions() []metav1.Condition { return b.Status.Conditions }

// SetConditions replaces the conditions of the status.
func (b *Budget) SetConditions(conditions []metav1.Condition) { b.Status.Conditions = conditions }

// BudgetList is a list of objects of kind Budget.
//
// +kubebuilder:object:root=true
type BudgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []Budget `json:"items"`
}
