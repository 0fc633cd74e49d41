package alertmanager

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

func TestBind(t *testing.T) {
	of := func(name, value string) Matcher { return Matcher{Name: name, Value: value, IsEqual: true} }
	tests := []struct {
		name, why string
		in        store.Scope
		matchers  []Matcher
		want      []Matcher
	}{
		{"Tenant", "The tenant's own matcher is added.", store.Of("a"), []Matcher{of("alertname", "X")}, []Matcher{of("alertname", "X"), of("tenant", "a")}},
		{"Own", "It is not added twice.", store.Of("a"), []Matcher{of("tenant", "a")}, []Matcher{of("tenant", "a")}},
		{"Other", "Another tenant cannot be named.", store.Of("a"), []Matcher{of("alertname", "X"), of("tenant", "b")}, nil},
		{"Not", "Nor by what it is not.", store.Of("a"), []Matcher{{Name: "tenant", Value: "b"}}, nil},
		{"Regex", "Nor by an expression.", store.Of("a"), []Matcher{{Name: "tenant", Value: ".*", IsRegex: true, IsEqual: true}}, nil},
		{"Everybody", "Who may see all may silence all.", store.Everybody(), []Matcher{of("alertname", "X")}, []Matcher{of("alertname", "X")}},
		{"Nobody", "A scope that was forgotten is nobody's.", store.Scope{}, []Matcher{of("alertname", "X")}, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := bind(tc.in, Silence{Matchers: tc.matchers})
			if tc.want == nil {
				if !errors.Is(err, fleet.ErrInvalid) {
					t.Errorf("%s: got %v, %v, want a refusal", tc.why, got, err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got.Matchers); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", tc.why, err, diff)
			}
		})
	}
}

func TestOwns(t *testing.T) {
	own := Matcher{Name: "tenant", Value: "a", IsEqual: true}
	tests := []struct {
		name, why string
		in        store.Scope
		matchers  []Matcher
		want      bool
	}{
		{"Own", "It is bound to the tenant.", store.Of("a"), []Matcher{own}, true},
		{"Other", "It is bound to another.", store.Of("b"), []Matcher{own}, false},
		{"Unbound", "It hides alerts of all.", store.Of("a"), []Matcher{{Name: "alertname", Value: "X", IsEqual: true}}, false},
		{"Regex", "An expression may match others.", store.Of("a"), []Matcher{{Name: "tenant", Value: "a", IsRegex: true, IsEqual: true}}, false},
		{"Nobody", "Nobody owns nothing.", store.Scope{}, []Matcher{{Name: "tenant", IsEqual: true}}, false},
		{"Everybody", "All is everybody's.", store.Everybody(), nil, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := owns(tc.in, Silence{Matchers: tc.matchers}); got != tc.want {
				t.Errorf("%s: got %v", tc.why, got)
			}
		})
	}
	if sees(store.Scope{}, map[string]string{}) || sees(store.Of("PLATFORM"), map[string]string{}) {
		t.Error("an alert of nobody is seen by more than everybody's scope")
	}
}

func TestCheckConfig(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"Default", string(DefaultConfig()), ""},
		{"NoYAML", "{", "invalid: the configuration of Alertmanager cannot be read: yaml: line 1: did not find expected node content"},
		{"Empty", "", "invalid: the configuration of Alertmanager: route is missing"},
		{"NoReceiver", "route: {}", "invalid: the configuration of Alertmanager: route.receiver is missing: the first route needs one, it takes what no other does"},
		{"Unknown", "{route: {receiver: a, repeat_interval: often, routes: [{receiver: b}]}, receivers: [{name: a}, {name: a}, {}]}",
			`invalid: the configuration of Alertmanager: receivers[1]: the name "a" is there twice; receivers[2] has no name; route.repeat_interval is "often", expected a duration such as 5m; route.routes[0].receiver: there is no receiver "b"`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			if err := CheckConfig([]byte(tc.text)); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzCheckConfig(f *testing.F) {
	f.Add(defaultConfig)
	f.Add([]byte("route: {routes: [{routes: []}]}\nreceivers: [{}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := CheckConfig(text); err != nil && !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%v is not of kind fleet.ErrInvalid", err)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	at := time.Unix(100, 0)
	alerts := []Alert{{Labels: map[string]string{"alertname": "Watchdog"}, UpdatedAt: at}, {Labels: map[string]string{"alertname": "Other"}, UpdatedAt: at.Add(time.Hour)}}
	if got := Heartbeat(alerts, "Watchdog"); !got.Equal(at) {
		t.Errorf("got %s, want %s", got, at)
	}
	if got := Heartbeat(nil, "Watchdog"); !got.IsZero() {
		t.Errorf("got %s of nothing", got)
	}
}
