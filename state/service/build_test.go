package service_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/service"
)

func TestBuild(t *testing.T) {
	db := kcm.Service{Name: "db", Template: "db-1"}
	web := kcm.Service{Name: "web", Template: "web-1", DependsOn: []kcm.ServiceDependsOn{{Name: "db"}}}
	dbEntry := kcm.ServiceWithValues{Name: "db", Namespace: "default", Template: "db-1", Version: "1.0.0"}
	webEntry := kcm.ServiceWithValues{Name: "web", Namespace: "default", Template: "web-1", Version: "web-1"}
	templates := map[string]service.Template{"db-1": {Version: "1.0.0"}, "db-2": {Version: "2.0.0"}}
	deployed := func(name, template, version string) kcm.ServiceState {
		return kcm.ServiceState{Name: name, Namespace: "default", Template: template, Version: version, State: kcm.ServiceDeployed}
	}
	held := []service.Held{{Key: service.KeyOf("", "web"), Reason: "waits until default/db is deployed in the wanted version"}}
	tests := []struct {
		name, why string
		want      service.Wanted
		built     service.Built
	}{
		{"First", "What depends on nothing is offered, what depends on it waits.",
			service.Wanted{Services: []kcm.Service{web, db}, Templates: templates},
			service.Built{Services: []kcm.ServiceWithValues{dbEntry}, Held: held}},
		{"Deployed", "Once the dependency is deployed in the wanted version, the dependant is offered.",
			service.Wanted{Services: []kcm.Service{web, db}, Templates: templates, Stored: []kcm.ServiceWithValues{dbEntry}, States: []kcm.ServiceState{deployed("db", "db-1", "1.0.0")}},
			service.Built{Services: []kcm.ServiceWithValues{dbEntry, webEntry}}},
		{"Upgrade", "While the dependency is upgraded, the dependant stays as it is, word for word.",
			service.Wanted{
				Services:  []kcm.Service{{Name: "db", Template: "db-2"}, {Name: "web", Template: "web-1", Values: "new: true", DependsOn: web.DependsOn}},
				Templates: templates, Stored: []kcm.ServiceWithValues{dbEntry, webEntry}, States: []kcm.ServiceState{deployed("db", "db-1", "1.0.0"), deployed("web", "web-1", "web-1")}},
			service.Built{Services: []kcm.ServiceWithValues{{Name: "db", Namespace: "default", Template: "db-2", Version: "2.0.0"}, webEntry}, Held: held}},
		{"Disabled", "A disabled service that is there stays, one that is not there is not installed.",
			service.Wanted{Services: []kcm.Service{{Name: "db", Template: "db-2", Disable: true}, {Name: "x", Template: "x", Disable: true}}, Templates: templates, Stored: []kcm.ServiceWithValues{dbEntry}},
			service.Built{Services: []kcm.ServiceWithValues{dbEntry}}},
		{"Unwanted", "A service that nobody wants any more is dropped.",
			service.Wanted{Stored: []kcm.ServiceWithValues{dbEntry}}, service.Built{}},
		{"UnknownDependency", "A dependency that does not exist is never deployed: nothing runs ahead of a mistake.",
			service.Wanted{Services: []kcm.Service{web}, States: []kcm.ServiceState{deployed("db", "db-1", "1.0.0")}}, service.Built{Held: held}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.built, service.Build(tc.want)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

func TestMergeOptions(t *testing.T) {
	yes, no := true, false
	labels := func(m map[string]string) *map[string]string { return &m }
	template := &kcm.ServiceHelmOptions{Wait: &yes, Labels: labels(map[string]string{"a": "1", "b": "1"}), InstallOptions: &kcm.HelmInstallOptions{Replace: &yes}}
	own := &kcm.ServiceHelmOptions{Wait: &no, Labels: labels(map[string]string{"b": "2"}), InstallOptions: &kcm.HelmInstallOptions{CreateNamespace: &yes}}
	want := &kcm.ServiceHelmOptions{Wait: &no, Atomic: &yes, Labels: labels(map[string]string{"a": "1", "b": "2"}), InstallOptions: &kcm.HelmInstallOptions{CreateNamespace: &yes}}
	if diff := cmp.Diff(want, service.MergeOptions(template, own)); diff != "" {
		t.Errorf("the service's options win, field by field (-want +got):\n%s", diff)
	}
	if *template.Wait != true || len(*template.Labels) != 2 {
		t.Error("merging changed the template's own options")
	}
	if got := service.MergeOptions(nil, nil); got.Atomic == nil || !*got.Atomic {
		t.Errorf("MergeOptions(nil, nil) = %+v; a release is atomic unless somebody says otherwise", got)
	}
}
