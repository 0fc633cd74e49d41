package serviceset

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

// What an engine refuses of one service is that service's; what it refuses of the set is the set's.
func TestBlame(t *testing.T) {
	set := engine.Set{Services: []engine.Service{{Key: engine.Key{Name: "a"}}, {Key: engine.Key{Name: "b"}}}}
	services := field.NewPath("spec", "services")
	got, err := Blame(set, field.ErrorList{field.Forbidden(services.Index(1).Child("helmOptions"), "the engine x cannot do it")})
	if err != nil || got.Services[0].Problem != "" || !strings.Contains(got.Services[1].Problem, "the engine x cannot do it") {
		t.Errorf("got %+v, %v", got.Services, err)
	}
	if set.Services[1].Problem != "" {
		t.Error("what was handed in was changed")
	}
	if _, err := Blame(set, field.ErrorList{field.Forbidden(field.NewPath("spec", "provider", "config"), "no")}); err == nil {
		t.Error("what is refused of the set as a whole is no error")
	}
	if got, err := Blame(engine.Set{Services: slices.Repeat(set.Services[:1], 12)}, field.ErrorList{field.Forbidden(services.Index(11).Child("x"), "no")}); err != nil || got.Services[1].Problem != "" {
		t.Errorf("services[11] was taken for services[1]: %+v, %v", got.Services[1], err)
	}
}

func TestGoFirst(t *testing.T) {
	tests := []struct {
		name, why string
		after     map[string][]string
		want      []string
	}{
		{"Nobody", "Nobody depends on it.", map[string][]string{"base": nil, "x": {"y"}}, nil},
		{"Two", "All who depend on it go first.", map[string][]string{"z": {"base"}, "a": {"base", "x"}}, []string{"a", "z"}},
		{"Circle", "Of those who depend on each other nobody waits, or none would ever go.", map[string][]string{"base": {"a"}, "a": {"base"}}, nil},
		{"LongCircle", "Over however many others.", map[string][]string{"base": {"a"}, "a": {"b"}, "b": {"base"}, "c": {"base"}}, []string{"c"}},
		{"Itself", "A mistake of the owner is no reason to wait for ever.", map[string][]string{"base": {"base"}}, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, GoFirst("base", tc.after)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	unusual := optionsOf(&kcm.ServiceHelmOptions{UninstallOptions: &kcm.HelmUninstallOptions{KeepHistory: true}})
	key := engine.Key{Namespace: "default", Name: "web"}
	wanted := func(o engine.Options) Parts {
		return Parts{Target: engine.Set{Services: []engine.Service{{Key: key, Kind: engine.Helm, Options: o}}}}
	}
	set := &kcm.ServiceSet{}
	if r := (Record{}).next(set, "direct", wanted(optionsOf(&kcm.ServiceHelmOptions{}))); !cmp.Equal(r, Record{Engine: "direct"}) {
		t.Errorf("what is removed as usual need not be remembered: %+v", r)
	}
	r := Record{}.next(set, "direct", wanted(unusual))
	if got := r.options()[key]; got.Uninstall != unusual.Uninstall {
		t.Errorf("remembered is %+v", got)
	}
	set.Status.Services = []kcm.ServiceState{{Namespace: "default", Name: "web", Type: kcm.ServiceHelm, State: kcm.ServiceDeployed}}
	if left := r.leaving(set); len(left) != 1 || !left[0].Uninstall || left[0].Options.Uninstall != unusual.Uninstall {
		t.Errorf("what left the spec is %+v", left)
	}
	if later := r.next(set, "direct", Parts{}); len(later.Removal) != 1 {
		t.Error("what is still there was forgotten")
	}
	set.Status.Services[0].State = kcm.ServiceDeleted
	if r.leaving(set) != nil || r.next(set, "direct", Parts{}).Removal != nil {
		t.Error("what is gone is still remembered")
	}
}

func TestContent(t *testing.T) {
	var tar bytes.Buffer
	if err := archive.Pack(&tar, []archive.File{{Name: "kustomization.yaml", Data: []byte("resources: []")}}); err != nil {
		t.Fatal(err)
	}
	from := engine.Source{Ref: engine.SourceRef{Kind: "ConfigMap", Namespace: "team", Name: "x"}}
	tests := []struct {
		name, why string
		content   content
		kind      engine.Kind
		files     []string
		problem   string
	}{
		{"Manifests", "Any key holds manifests, whatever its ending.", content{exists: true, data: map[string]string{"a": "1", "b.yml": "2"}}, engine.Resource, []string{"a.yaml", "b.yml"}, ""},
		{"Kustomization", "The key that Sveltos reads holds an archive.", content{exists: true, binary: map[string][]byte{kustomizeKey: tar.Bytes()}}, engine.Kustomize, []string{"kustomization.yaml"}, ""},
		{"NoKustomization", "The message says how to make one.", content{exists: true, data: map[string]string{"a": "1"}}, engine.Kustomize, nil, "kubectl create configmap"},
		{"NoArchive", "What cannot be unpacked is named.", content{exists: true, binary: map[string][]byte{kustomizeKey: []byte("x")}}, engine.Kustomize, nil, "ConfigMap team/x holds no kustomization"},
		{"Empty", "Nothing to apply is a mistake, not a success.", content{exists: true}, engine.Resource, nil, "is empty"},
		{"Missing", "It was there when the template was judged.", content{}, engine.Resource, nil, "does not exist"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, problem := tc.content.source(from, tc.kind)
			if tc.problem != "" {
				if !strings.Contains(problem, tc.problem) {
					t.Errorf("%s\nproblem = %q; want %q", tc.why, problem, tc.problem)
				}
				return
			}
			var names []string
			for name := range got.Files {
				names = append(names, name)
			}
			slices.Sort(names)
			if problem != "" || !slices.Equal(names, tc.files) || got.Digest != engine.DigestOf(got.Files) {
				t.Errorf("%s\ngot %v %s, problem %q", tc.why, names, got.Digest, problem)
			}
		})
	}
}

// A tenant reads its own namespace, and beyond it only what the platform names.
func TestAuthority(t *testing.T) {
	quoted := kcm.TemplateResourceRef{Resource: kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: "kcm-system", Name: "shared"}}
	attached := kcm.PolicyRef{Kind: "ConfigMap", Namespace: "kcm-system", Name: "base"}
	tenant := authority{namespace: "team"}
	named := authority{namespace: "team", named: service.Config{TemplateResourceRefs: []kcm.TemplateResourceRef{quoted}, PolicyRefs: []kcm.PolicyRef{attached}}}
	other := quoted
	other.Resource.Name = "root"
	tests := []struct {
		name, why string
		may, want bool
	}{
		{"Own", "Its own namespace.", tenant.mayQuote(quoted, "team") && tenant.mayAttach(attached, "team"), true},
		{"Other", "Another namespace.", tenant.mayQuote(quoted, "kcm-system") || tenant.mayAttach(attached, "kcm-system"), false},
		{"Root", "What belongs to no namespace is the platform's.", tenant.mayQuote(quoted, ""), false},
		{"Named", "What the MultiClusterService names.", named.mayQuote(quoted, "kcm-system") && named.mayAttach(attached, "kcm-system"), true},
		{"NotNamed", "And nothing else.", named.mayQuote(other, "kcm-system"), false},
		{"Platform", "The system namespace reads everything.", authority{namespace: "kcm-system", platform: true}.mayQuote(other, ""), true},
	}
	for _, tc := range tests {
		if tc.may != tc.want {
			t.Errorf("%s: %s may = %v", tc.name, tc.why, tc.may)
		}
	}
}

// Whatever stands in a ServiceSet: an error or parts that hold each service once, and a status with
// a state for each. Never a panic.
func FuzzResolve(f *testing.F) {
	f.Add(`{"policyRefs":[{"kind":"ConfigMap","name":"x"}]}`, `{"held":[{"namespace":"a","name":"b"}]}`, "a: {{ .Cluster }}", `{"engine":"x","removal":{"a":{}}}`)
	f.Add(`{"syncMode":"DryRun","patches":[{"patch":""}]}`, `{"dependsOn":{"default/a":["x"]}}`, "[", `{`)
	f.Fuzz(func(t *testing.T, config, notes, values, record string) {
		set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "demo", Annotations: map[string]string{statev1.NotesAnnotation: notes, recordAnnotation: record}}}
		set.Spec = kcm.ServiceSetSpec{Cluster: "demo", Provider: kcm.StateManagementProviderConfig{Config: &kcm.JSON{Raw: []byte(config)}}, Services: []kcm.ServiceWithValues{{Name: "a", Template: "t", Values: values}}}
		saw := Observed{Templates: map[string]Template{"t": {Valid: true, Kind: engine.Helm, Source: engine.Source{Digest: "sha256:aa"}}}}
		if parsed, err := service.NotesOf(set); err == nil {
			saw.Notes = parsed
		}
		if was, err := recordOf(set, "direct"); err == nil {
			saw.Leaving = was.leaving(set)
			_ = removalOf(set, was, saw)
		}
		parts, err := Resolve(set, saw)
		if err == nil && len(parts.all()) != 1 {
			t.Errorf("1 service became %d", len(parts.all()))
		}
		status := Status(set, Outcome{Saw: saw, Parts: parts})
		if status.Deployed {
			t.Error("deployed, although no engine said so")
		}
	})
}
