package alertmanager

import "time"

// Alert is an alert that Alertmanager knows.
type Alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	UpdatedAt    time.Time         `json:"updatedAt"`
	Fingerprint  string            `json:"fingerprint"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
	Status       Status            `json:"status"`
}

// Status is what Alertmanager does about an alert.
type Status struct {
	// State is active, suppressed or unprocessed.
	State       string   `json:"state"`
	SilencedBy  []string `json:"silencedBy"`
	InhibitedBy []string `json:"inhibitedBy"`
}

// Silenced says whether a silence hides the alert.
func (a Alert) Silenced() bool { return len(a.Status.SilencedBy) > 0 }

// Silence hides the alerts that match, for a time.
type Silence struct {
	// ID is Alertmanager's; empty for a new one.
	ID        string    `json:"id,omitempty"`
	Matchers  []Matcher `json:"matchers"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
	// Status is nil for one that is not created yet.
	Status *SilenceStatus `json:"status,omitempty"`
}

// SilenceStatus says whether a silence is in force.
type SilenceStatus struct {
	// State is active, pending or expired.
	State string `json:"state"`
}

// Matcher is a condition on a label of an alert.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

// Heartbeat is when the alert that always fires was last heard of; zero if it is not there. It
// comes anew with each evaluation of the rules: an old one means that alerts do not arrive.
func Heartbeat(alerts []Alert, name string) time.Time {
	var last time.Time
	for _, a := range alerts {
		if a.Labels["alertname"] == name && a.UpdatedAt.After(last) {
			last = a.UpdatedAt
		}
	}
	return last
}
