package helm

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
)

func TestComparer(t *testing.T) {
	const said = `{apiVersion: v1, kind: X, metadata: {name: x, labels: {a: b}}, spec: {num: 1, cpu: 1000m, flag: false, none: {}, list: [{name: a, v: 1}, {name: b, v: 2}], set: [x, z]}}`
	for _, c := range []struct {
		name, why, live string
		want            []string
	}{
		{"Same", "", said, nil},
		{"Quantity", "the cluster writes quantities in its own way", `{kind: X, spec: {num: 1.0, cpu: "1", flag: false, list: [{name: a, v: 1}, {name: b, v: 2}], set: [x, z]}, metadata: {labels: {a: b}}}`, nil},
		{"Order", "named items may stand in any order, and beside others", `{kind: X, spec: {num: 1, cpu: 1, flag: false, more: 1, list: [{name: c}, {name: b, v: 2, w: 3}, {name: a, v: 1}], set: [x, z]}, metadata: {labels: {a: b, c: d}}}`, nil},
		{"Values", "", `{kind: X, spec: {num: 2, cpu: 2, flag: true, list: [{name: b, v: 3}, {name: a, v: 1}], set: [z, x]}, metadata: {labels: {a: c}}}`,
			[]string{"/metadata/labels/a", "/spec/cpu", "/spec/flag", "/spec/list/0/v", "/spec/num", "/spec/set/0", "/spec/set/1"}},
		{"Missing", "an item that is gone has the place where it should be", `{kind: X, spec: {num: 1, cpu: 1, flag: false, list: [{name: a, v: 1}], set: [x]}}`, []string{"/metadata/labels/a", "/spec/list/1", "/spec/set"}},
	} {
		compared := comparer{}
		compared.object(object(t, said), object(t, said), object(t, c.live))
		if diff := cmp.Diff(c.want, compared.found); diff != "" {
			t.Errorf("%s: %s (-want +got)\n%s", c.name, c.why, diff)
		}
	}
	// By the cluster's own word, what would go and what would become empty counts, too.
	compared := comparer{exact: true, excluded: []pointer{{"spec", "num"}}}
	compared.object(object(t, said), object(t, said),
		object(t, `{kind: X, metadata: {labels: {a: b}}, spec: {num: 7, cpu: "1", flag: false, list: [{name: a, v: 1}, {name: b, v: 2}, {name: c}], set: [x, z], more: 1}}`))
	if diff := cmp.Diff([]string{"/spec/cpu", "/spec/list/2", "/spec/more", "/spec/none"}, compared.found); diff != "" {
		t.Errorf("exact (-want +got)\n%s", diff)
	}
}

func TestFromManifests(t *testing.T) {
	const text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {t: '{{ .Values.x }}'}}\n"
	one, err := FromManifests("app", "main@sha1:abc", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromManifests("app", "main@sha1:abc", []byte("---\nkind: ConfigMap\napiVersion: v1\ndata: {t: '{{ .Values.x }}'}\nmetadata:\n  name: a\n"))
	if err != nil || one.Digest() != again.Digest() {
		t.Errorf("the same objects have the same digest: %s and %s, %v", one.Digest(), again.Digest(), err)
	}
	other, err := FromManifests("app", "main@sha1:abd", []byte(text))
	if err != nil || one.Digest() == other.Digest() {
		t.Errorf("another version is another digest: %v", err)
	}
	if one.Version() != "0.0.0" || one.Summary().AppVersion != "main@sha1:abc" {
		t.Errorf("a version that is no semantic one is the app's alone: %s, %s", one.Version(), one.Summary().AppVersion)
	}
	if v, err := FromManifests("app", "v1.2.3", nil); err != nil || v.Version() != "1.2.3" {
		t.Errorf("a semantic one is the chart's, too: %v", err)
	}
	rendered, err := Render(one, Values{"manifests": "x"}, Release{Namespace: "n", Name: "a"})
	if err != nil || len(rendered.Objects) != 1 {
		t.Fatalf("rendering: %v, %v", rendered, err)
	}
	if diff := cmp.Diff(map[string]any{"t": "{{ .Values.x }}"}, rendered.Objects[0].Object["data"]); diff != "" {
		t.Errorf("no text is a template (-want +got)\n%s", diff)
	}
	if _, err := FromManifests("app", "1", []byte("kind: X")); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("what is no object is refused: %v", err)
	}
}

func FuzzPointer(f *testing.F) {
	for _, seed := range []string{"", "/", "/a/b~1c/0", "~", "/~01", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePointer(text)
		if err != nil {
			return
		}
		again, err := parsePointer(p.String())
		if err != nil || !cmp.Equal(p, again) {
			t.Errorf("%q became %v, and that %v: %v", text, p, again, err)
		}
		p.carry(map[string]any{"a": []any{"x"}}, map[string]any{"a": []any{"y"}})
		p.drop(map[string]any{"a": []any{"y"}})
	})
}
