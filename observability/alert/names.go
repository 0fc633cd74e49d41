package alert

import (
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/store"
)

// Labels and names of k0rdent's, by which rules are found and handed on.
const (
	// AlertRulesLabel marks a ConfigMap of alerting rules. Its value is the cluster that they are
	// for; an empty one means every cluster.
	AlertRulesLabel = kof.AlertRulesLabel
	// RecordRulesLabel does the same for recording rules.
	RecordRulesLabel = kof.RecordRulesLabel
	// RecordOutputLabel marks a ConfigMap into which the recording rules of a cluster are written.
	RecordOutputLabel = "k0rdent.mirantis.com/kof-record-vmrules-cluster-name"
	// GeneratedLabel with the value GeneratedTrue says that a ConfigMap may be overwritten. With
	// any other value the ConfigMap is the user's.
	GeneratedLabel = "k0rdent.mirantis.com/kof-generated"
	// GeneratedTrue is the value of GeneratedLabel for what we may overwrite.
	GeneratedTrue = "true"
	// AlertOutput is the name of the ConfigMap into which all alerting rules are written.
	AlertOutput = "kof-mothership-promxy-rules"
	// RecordOutputKey is the key of the values in a ConfigMap of RecordOutputLabel.
	RecordOutputKey = "values"

	// ScopeAnnotation on an object with rules says what its aggregations are about. With the value
	// ScopeFleet they stay as they are written, and may sum over clusters and tenants.
	ScopeAnnotation = "alert.portico.dev/scope"
	// ScopeFleet is the value of ScopeAnnotation for rules about all clusters together.
	ScopeFleet = "fleet"
)

// Labels of series and alerts.
const (
	// ClusterLabel says which cluster a series is about.
	ClusterLabel = "cluster"
	// RegionLabel says which region's stores a series of the plane is about. It is not "region": that
	// is what questions over all regions call the one in whose store a series is.
	RegionLabel = "telemetry_region"
	// TenantLabel says whose a series is.
	TenantLabel = store.TenantLabel
	// GroupLabel of an alert is the group of its rule.
	GroupLabel = "alertgroup"
	// SeverityLabel of an alert is critical, warning, info or none.
	SeverityLabel = "severity"
)

// Watchdog is the alert that always fires: where it stops to arrive, alerts do not arrive at all.
const Watchdog = "Watchdog"
