package service_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/values"
)

//lint:file-ignore SA1019 the deprecated fields must still work

func TestDecodeConfig(t *testing.T) {
	defaults := service.Config{SyncMode: kcm.SyncContinuous, Priority: 100, ValuesPrecedence: values.ValuesFromWins}
	tests := []struct {
		name, why, text string
		change          func(*service.Config)
		unknown         []string
		stops, reloads  bool
	}{
		{name: "Nothing", why: "Nothing said is k0rdent's documented defaults.", text: ""},
		{name: "Null", why: "Null says nothing.", text: "null"},
		{name: "Empty", why: "Nor does an empty map.", text: "{}"},
		{name: "Stop", why: "Only an explicit false stops everything at an error.", text: `{"continueOnError":false}`, change: func(c *service.Config) { no := false; c.ContinueOnError = &no }, stops: true},
		{name: "GoOn", why: "True is what holds anyway.", text: `{"continueOnError":true}`, change: func(c *service.Config) { yes := true; c.ContinueOnError = &yes }},
		{name: "Reload", why: "k0rdent's documents say reload,", text: `{"reload":true}`, change: func(c *service.Config) { c.ReloadAsDocumented = true }, reloads: true},
		{name: "Reloader", why: "its code reads reloader.", text: `{"reloader":true}`, change: func(c *service.Config) { c.Reload = true }, reloads: true},
		{name: "Patches", why: "Patches are as Sveltos has them.", text: `{"patches":[{"patch":"x","target":{"kind":"Deployment"}}]}`, change: func(c *service.Config) {
			c.Patches = []service.Patch{{Patch: "x", Target: &kcm.PatchSelector{Kind: "Deployment"}}}
		}},
		{name: "Precedence", why: "The inline values may win.", text: `{"valuesPrecedence":"Inline"}`, change: func(c *service.Config) { c.ValuesPrecedence = values.InlineWins }},
		{name: "Unknown", why: "Keys of others are named, and do no harm.", text: `{"zeta":1,"alpha":{},"priority":7}`, change: func(c *service.Config) { c.Priority = 7 }, unknown: []string{"alpha", "zeta"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			want := defaults
			if tc.change != nil {
				tc.change(&want)
			}
			got, unknown, err := service.DecodeConfig(&kcm.JSON{Raw: []byte(tc.text)})
			if diff := cmp.Diff(want, got); err != nil || diff != "" || !cmp.Equal(tc.unknown, unknown) {
				t.Errorf("%s\nDecodeConfig() = %v, unknown %q, %v (-want +got):\n%s", tc.why, got, unknown, err, diff)
			}
			if got.StopsOnError() != tc.stops || got.Reloads() != tc.reloads {
				t.Errorf("%s\nStopsOnError() = %v, Reloads() = %v", tc.why, got.StopsOnError(), got.Reloads())
			}
		})
	}
	if _, _, err := service.DecodeConfig(&kcm.JSON{Raw: []byte(`{"priority":"high"}`)}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a wrong type gave %v; want an error of kind invalid", err)
	}
}

func TestResolveProvider(t *testing.T) {
	config := &kcm.JSON{Raw: []byte(`{"own":1}`)}
	old := kcm.ServiceSpec{Priority: 7, ContinueOnError: true, Reload: true, SyncMode: kcm.SyncOneTime}
	tests := []struct {
		name, why, provider string
		config              *kcm.JSON
		want                string
	}{
		{"Neither", "The deprecated fields become the configuration.", "", nil, `ksm-projectsveltos {"continueOnError":true,"priority":7,"reloader":true,"syncMode":"OneTime"}`},
		{"Config", "A configuration is taken word for word, and the fields are not.", "", config, `ksm-projectsveltos {"own":1}`},
		{"Name", "With a name alone there is none: what that means is the provider's own matter.", "mine", nil, `mine none`},
		{"Both", "Both are taken.", "mine", config, `mine {"own":1}`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			spec := old
			spec.Provider = kcm.StateManagementProviderConfig{Name: tc.provider, Config: tc.config}
			got, err := service.ResolveProvider(spec)
			text := "none"
			if got.Config != nil {
				text = string(got.Config.Raw)
			}
			if text = got.Name + " " + text; err != nil || text != tc.want {
				t.Errorf("%s\nResolveProvider() = %s, %v; want %s", tc.why, text, err, tc.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	uninstall := kcm.HelmUninstall
	services := []kcm.Service{
		{Name: "there", Template: "t"}, {Name: "moving", Template: "t-2"}, {Name: "failed", Template: "t"}, {Name: "absent", Template: "t"},
		{Name: "held", Template: "t"}, {Name: "disabled", Template: "t", Disable: true}, {Name: "gone", Template: "t", HelmAction: &uninstall},
	}
	set := &kcm.ServiceSet{}
	set.Annotations = map[string]string{"state.portico.dev/notes": `{"held":[{"namespace":"default","name":"held","template":"t","reason":"Wave","message":"waits"}]}`}
	for _, name := range []string{"there", "moving", "failed", "held"} {
		set.Spec.Services = append(set.Spec.Services, kcm.ServiceWithValues{Namespace: "default", Name: name, Template: "t"})
		state := kcm.ServiceState{Namespace: "default", Name: name, Template: "t", State: kcm.ServiceDeployed}
		if name == "failed" {
			state.State = kcm.ServiceFailed
		}
		set.Status.Services = append(set.Status.Services, state)
	}
	names := func(set *kcm.ServiceSet) (out []string) {
		missing, err := service.Missing(services, set)
		must(t, err)
		for _, key := range missing {
			out = append(out, key.Name)
		}
		return out
	}
	if diff := cmp.Diff([]string{"absent", "failed", "held", "moving"}, names(set)); diff != "" {
		t.Errorf("what is disabled or to be uninstalled is not awaited, all else is until it is there as wanted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"absent", "failed", "held", "moving", "there"}, names(nil)); diff != "" {
		t.Errorf("without a set nothing is there (-want +got):\n%s", diff)
	}
}

// Whatever stands in a configuration or in the notes: no panic, and errors are of the reader's kind.
func FuzzReading(f *testing.F) {
	for _, seed := range []string{`{"continueOnError":false,"x":[]}`, `null`, `[]`, `{"dependsOn":{"a/b":["c/d"]},"held":[{"name":"x"}],"reached":{"a/b":{"template":"t"}},"labels":["x"]}`, `{"priority":1e99}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, err := service.DecodeConfig(&kcm.JSON{Raw: []byte(text)}); err != nil && !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("the error is not of kind invalid: %v", err)
		}
		set := &kcm.ServiceSet{}
		set.Annotations = map[string]string{"state.portico.dev/notes": text}
		spec := kcm.ServiceSpec{Services: []kcm.Service{{Name: "b", Namespace: "a", Template: "t", TemplateChain: "c"}}}
		made, err := service.Assemble(service.Request{Spec: spec, Stored: set})
		if err != nil {
			return
		}
		again, err := service.Assemble(service.Request{Spec: spec, Stored: made.Set})
		if err != nil || !cmp.Equal(made.Set, again.Set) {
			t.Errorf("what was assembled is not what is assembled from it (%v):\n%s", err, cmp.Diff(made.Set, again.Set))
		}
	})
}
