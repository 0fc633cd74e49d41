package v1alpha1

// Kinds of this package.
const (
	PriceListKind = "PriceList"
	BudgetKind    = "Budget"
)

// Conditions of this package's kinds.
const (
	// ReadyCondition of a PriceList says whether its prices count; of a Budget, whether it could be
	// judged.
	ReadyCondition = "Ready"
	// KeptCondition of a Budget is True while the month is expected to stay within it, and no
	// threshold was crossed.
	KeptCondition = "Kept"
)

// Reasons of conditions.
const (
	// InForceReason: the prices count. JudgedReason: the figures are those of status.judged.
	InForceReason = "InForce"
	JudgedReason  = "Judged"
	// InvalidReason: what is written cannot be read or used.
	InvalidReason = "Invalid"
	// SourceMissingReason: the ConfigMap, or its key, is not there.
	SourceMissingReason = "SourceMissing"
	// CurrencyReason: it is in another currency than the prices in force, and nothing converts them.
	CurrencyReason = "OtherCurrency"
	// NoTelemetryReason: nothing is known of costs.
	NoTelemetryReason = "NoTelemetry"
)
