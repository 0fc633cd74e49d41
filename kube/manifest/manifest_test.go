package manifest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/fleet"
)

func filesOf(text string) map[string]string {
	files := map[string]string{}
	for _, f := range txtar.Parse([]byte(text)).Files {
		files[f.Name] = string(f.Data)
	}
	return files
}

// expect checks a result: what is wanted is the text, or a part of the error when it begins
// with "error: ".
func expect(t *testing.T, why, want string, got []byte, err error) {
	t.Helper()
	if part, refused := strings.CutPrefix(want, "error: "); refused {
		if err == nil || !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: got error %v, want an ErrInvalid with %q", why, err, part)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", why, err)
		return
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", why, diff)
	}
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "

func TestPlain(t *testing.T) {
	for _, c := range []struct{ name, why, files, path, want string }{
		{
			"Order", "files go by name, documents by their order; what is no manifest is not read",
			"-- b.yaml --\n" + configMap + "b1}\n---\n" + configMap + "b0}\n-- a/x.json --\n{\"apiVersion\":\"v1\",\t\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}\n-- README.md --\nkind: none\n", "",
			"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b1\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b0\n",
		},
		{
			"Path", "only what is below the path counts, and a folder with a longer name is not below it",
			"-- app/a.yml --\n" + configMap + "a}\n-- application/b.yaml --\n" + configMap + "b}\n", "./app/",
			"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
		},
		{
			"List", "lists are unrolled, and the items of a list of one kind may leave it out",
			"-- a.yaml --\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: k}}\n- {apiVersion: v1, kind: ConfigMapList, items: [{metadata: {name: m}}]}\n", "",
			"---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: k\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n",
		},
		{
			"WholeNumbers", "a number above 2^53 stays what it is",
			"-- a.yaml --\n{apiVersion: x.io/v1, kind: X, metadata: {name: x}, spec: {big: 9007199254740993, one: 1.5}}\n", "",
			"---\napiVersion: x.io/v1\nkind: X\nmetadata:\n  name: x\nspec:\n  big: 9007199254740993\n  one: 1.5\n",
		},
		{
			"EmptyDocuments", "marks with nothing between, comments, and a mark with a comment are no objects",
			"-- a.yaml --\n# hello\n---\n--- # one\n" + configMap + "a}\n---\n# end\n", "",
			"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
		},
		{"NoName", "what is wrong is named with its file and document", "-- d/a.yaml --\n" + configMap + "a}\n---\napiVersion: v1\nkind: Secret\n", "", "error: file d/a.yaml, document 2: it has no metadata.name"},
		{"NoKind", "", "-- a.yaml --\nname: x\n", "", "error: file a.yaml, document 1: it has no apiVersion"},
		{"NotYAML", "", "-- a.yaml --\na: [\n", "", "error: file a.yaml, document 1: it is not YAML"},
		{"Text", "", "-- a.yaml --\njust words\n", "", "error: file a.yaml, document 1: it is not an object"},
		{"DoubleKey", "a key that stands twice is a mistake", "-- a.yaml --\n" + configMap + "a}\ndata: {a: b, a: c}\n", "", "error: file a.yaml, document 1: it is not YAML"},
		{"Twice", "the second would be applied over the first", "-- a.yaml --\n" + configMap + "a}\n-- b.yaml --\n" + configMap + "a}\n", "", "error: stands twice, in file a.yaml, document 1 and in file b.yaml, document 1"},
		{"NumberLabel", "", "-- a.yaml --\n" + configMap + "a, labels: {v: 1}}\n", "", "error: put numbers, true and false in quotes"},
		{"Kustomization", "somebody chose the wrong type of service", "-- kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "", "error: deploy the folder as a Kustomization"},
		{"NothingThere", "", "-- a.yaml --\n" + configMap + "a}\n", "b", `error: no .yaml, .yml or .json file below "b"`},
		{"NothingInside", "", "-- a.yaml --\n# nothing\n", "", "error: hold no object"},
	} {
		got, err := Plain(filesOf(c.files), c.path)
		expect(t, c.name+": "+c.why, c.want, got, err)
	}
}

const overlay = `
-- base/kustomization.yaml --
resources: [app.yaml, role.yaml]
-- base/app.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "example/app:${TAG}", args: ["${OTHER}", "$${TAG}"]}]}
-- base/role.yaml --
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: app}}
-- prod/kustomization.yml --
resources: [../base]
namePrefix: p-
replicas: [{name: app, count: 3}]
`

func TestKustomize(t *testing.T) {
	built := `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: p-app
  namespace: team
spec:
  replicas: 3
  selector:
    matchLabels:
      app: app
  template:
    metadata:
      labels:
        app: app
    spec:
      containers:
      - args:
        - ${OTHER}
        - ${TAG}
        image: example/app:v2
        name: app
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: p-app
`
	for range 2 {
		got, err := Kustomize(filesOf(overlay), "prod/", KustomizeOptions{Namespace: "team", Values: map[string]string{"TAG": "v2"}})
		expect(t, "bases, namespace, and values for the named variables only", built, got, err)
	}
	// With the root of the source as the folder, too.
	got, err := Kustomize(filesOf("-- kustomization.yaml --\nresources: [a.yaml]\n-- a.yaml --\n"+configMap+"a}\n"), "", KustomizeOptions{Namespace: "team"})
	expect(t, "the root of the source", "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: team\n", got, err)
	got, err = Kustomize(filesOf("-- kustomization.yaml --\nresources: [a.yaml]\n-- a.yaml --\n"+configMap+"a}\ndata: {a: '{{ .A }}'}\n"), ".", KustomizeOptions{
		Expand: func(built []byte) ([]byte, error) {
			return bytes.ReplaceAll(built, []byte("{{ .A }}"), []byte("one")), nil
		},
	})
	expect(t, "placeholders of another form", "---\napiVersion: v1\ndata:\n  a: one\nkind: ConfigMap\nmetadata:\n  name: a\n", got, err)
}

func TestKustomizeRefuses(t *testing.T) {
	for _, c := range []struct{ name, files, want string }{
		{"RemoteBase", "-- kustomization.yaml --\nresources: ['https://example.com/x//deploy?ref=v1']\n", "file kustomization.yaml: resources refers to https://example.com"},
		{"GitHub", "-- kustomization.yaml --\nresources: [github.com/example/x]\n-- github.com/example/x/kustomization.yaml --\n", "copy it into the source"},
		{"SSH", "-- kustomization.yaml --\ncomponents: ['git@example.com:x/y']\n", "components refers to git@example.com"},
		{"Below", "-- kustomization.yaml --\nresources: [a]\n-- a/kustomization.yaml --\nbases: ['git::https://example.com/x']\n", "file a/kustomization.yaml: bases refers to git::https"},
		{"Patch", "-- kustomization.yaml --\npatches: [{path: 'http://example.com/p'}]\n", "patches.path refers to http://example.com/p"},
		{"GeneratorFile", "-- kustomization.yaml --\nconfigMapGenerator: [{name: a, files: ['a=https://example.com/p']}]\n", "configMapGenerator.files refers to https://example.com/p"},
		{"Generator", "-- kustomization.yaml --\ngenerators: [g.yaml]\n-- g.yaml --\napiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: ['a=https://example.com/p']\n", "document 1 refers to a=https://example.com/p"},
		{"Exec", "-- kustomization.yaml --\ntransformers: [g.yaml]\n-- g.yaml --\napiVersion: x.io/v1\nkind: X\nmetadata: {name: g, annotations: {config.kubernetes.io/function: 'exec: {path: /bin/true}'}}\n", "plugins"},
		{"Chart", "-- kustomization.yaml --\nhelmCharts: [{name: x, repo: 'https://example.com'}]\n", "deploy them as Helm services"},
		{"Missing", "-- kustomization.yaml --\nresources: [a.yaml]\n", "neither a file nor a folder a.yaml"},
		{"Outside", "-- kustomization.yaml --\nresources: [../a.yaml]\n", "../a.yaml leads out of the source"},
		{"NoKustomization", "-- a.yaml --\n", `the folder "." has no kustomization.yaml`},
		{"UnknownField", "-- kustomization.yaml --\nresourcez: []\n", "file kustomization.yaml: "},
	} {
		_, err := Kustomize(filesOf(c.files), "", KustomizeOptions{})
		expect(t, c.name, "error: "+c.want, nil, err)
	}
}

func TestSubstitute(t *testing.T) {
	values := map[string]string{"A": "1", "EMPTY": ""}
	for text, want := range map[string]string{
		"${A} ${B} ${B:-x} $A $(A)":            "1 ${B} ${B:-x} $A $(A)",
		"$${A} $${B} ${A:=2}":                  "${A} $${B} 1",
		"${EMPTY:-x} ${EMPTY:=y} ${EMPTY} ${A": "x y  ${A",
	} {
		if got := substitute(text, values); got != want {
			t.Errorf("substitute(%q) = %q, want %q", text, got, want)
		}
	}
	if got := substitute("${A}", nil); got != "${A}" {
		t.Errorf("without values, %q was substituted", got)
	}
}

func TestInNamespace(t *testing.T) {
	manifests := []byte(`{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: other}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: c}}
---
{apiVersion: x.io/v1, kind: Wide, metadata: {name: d}}
---
{apiVersion: x.io/v1, kind: Narrow, metadata: {name: e}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: wides.x.io}, spec: {group: x.io, names: {kind: Wide}, scope: Cluster}}
`)
	in := func(scoped func(schema.GroupKind) bool) string {
		got, err := InNamespace(manifests, "team", scoped)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := Objects(got)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, o := range objects {
			said = append(said, o.GetNamespace()+"/"+o.GetName())
		}
		return strings.Join(said, " ")
	}
	if got, want := in(nil), "team/a other/b /c /d team/e /wides.x.io"; got != want {
		t.Errorf("by Kubernetes' own kinds: got %s, want %s", got, want)
	}
	all := func(schema.GroupKind) bool { return true }
	if got, want := in(all), "/a other/b /c /d /e /wides.x.io"; got != want {
		t.Errorf("by what the caller says: got %s, want %s", got, want)
	}
}

func TestApply(t *testing.T) {
	manifests := `apiVersion: apps/v1
kind: Deployment
metadata: {name: one, labels: {tier: web}}
spec:
  replicas: 1
  template: {spec: {containers: [{name: a, image: x}, {name: b, image: y}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: other, annotations: {k: v}}
data: {key: "1"}
`
	for _, c := range []struct {
		name, why string
		patches   []Patch
		want      string // a line that the result has; "!" in front: has not
	}{
		{"Strategic", "containers are merged by their names", []Patch{{Patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: any}, spec: {template: {spec: {containers: [{name: b, image: z}]}}}}\n", Target: &Selector{Kind: "Deployment"}}}, "image: z"},
		{"StrategicKeeps", "", []Patch{{Patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: any}, spec: {template: {spec: {containers: [{name: b, image: z}]}}}}\n", Target: &Selector{Kind: "Deployment"}}}, "image: x"},
		{"JSON", "", []Patch{{Patch: `[{"op": "replace", "path": "/spec/replicas", "value": 5}]`, Target: &Selector{Group: "apps", Kind: "Dep.*", Name: "o.e"}}}, "replicas: 5"},
		{"YAMLOperations", "operations may be YAML", []Patch{{Patch: "- {op: add, path: /data/m, value: two}", Target: &Selector{Kind: "ConfigMap"}}}, "m: two"},
		{"FlowOperations", "a list in brackets is YAML, too", []Patch{{Patch: "[{op: replace, path: /spec/replicas, value: 7}]", Target: &Selector{Kind: "Deployment"}}}, "replicas: 7"},
		{"FlowText", "a text that looks like a number stays one", []Patch{{Patch: "[{op: add, path: /data/m, value: \"7\"}]", Target: &Selector{Kind: "ConfigMap"}}}, "m: \"7\""},
		{"Namespace", "an object without a namespace is in the release's", []Patch{{Patch: "- {op: replace, path: /spec/replicas, value: 5}", Target: &Selector{Namespace: "team"}}}, "replicas: 5"},
		{"Anchored", "a part of a name is no match", []Patch{{Patch: "- {op: replace, path: /spec/replicas, value: 5}", Target: &Selector{Name: "on"}}}, "replicas: 1"},
		{"Labels", "", []Patch{{Patch: "- {op: replace, path: /spec/replicas, value: 5}", Target: &Selector{LabelSelector: "tier in (web)"}}}, "replicas: 5"},
		{"Annotations", "", []Patch{{Patch: "- {op: replace, path: /data/key, value: two}", Target: &Selector{AnnotationSelector: "k=v"}}}, "key: two"},
		{"NoTarget", "the patch names its object", []Patch{{Patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: one}, spec: {replicas: 7}}"}}, "replicas: 7"},
		{"Order", "a later patch sees what an earlier one has made", []Patch{
			{Patch: "- {op: add, path: /metadata/labels/made, value: here}", Target: &Selector{Kind: "Deployment"}},
			{Patch: "- {op: replace, path: /spec/replicas, value: 8}", Target: &Selector{LabelSelector: "made=here"}},
		}, "replicas: 8"},
		{"NoTraces", "Kustomize's own notes are gone", []Patch{{Patch: "- {op: replace, path: /spec/replicas, value: 8}", Target: &Selector{Kind: "Deployment"}}}, "!internal.config"},
		{"Delete", "", []Patch{{Patch: "{apiVersion: v1, kind: ConfigMap, metadata: {name: any}, $patch: delete}", Target: &Selector{Kind: "ConfigMap"}}}, "!kind: ConfigMap"},
		{"NotThere", "", []Patch{{Patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: two}}"}}, "error: applying patch 1: invalid: the release has no Deployment two"},
		{"BadExpression", "", []Patch{{Patch: "{}", Target: &Selector{Kind: "("}}}, "error: kind of a selector"},
		{"BadPath", "", []Patch{{Patch: "- {op: replace, path: /spec/none/x, value: 5}", Target: &Selector{Kind: "Deployment"}}}, "error: applying patch 1"},
		{"NoPatch", "", []Patch{{Patch: "just words", Target: &Selector{Kind: "Deployment"}}}, "error: applying patch 1: invalid: it is neither"},
		{"NoKind", "the target says what it is for", []Patch{{Patch: "spec: {replicas: 9}", Target: &Selector{Kind: "Deployment"}}}, "replicas: 9"},
		{"NoKindKeeps", "what the patch is called is no part of it", []Patch{{Patch: "spec: {replicas: 9}", Target: &Selector{Kind: "Deployment"}}}, "kind: Deployment"},
	} {
		got, err := Apply(c.patches, []byte(manifests), "team")
		if strings.HasPrefix(c.want, "error: ") {
			expect(t, c.name, c.want, got, err)
			continue
		}
		line, absent := strings.CutPrefix(c.want, "!")
		if err != nil || strings.Contains(string(got), line) == absent {
			t.Errorf("%s: %s: want %q, got error %v and\n%s", c.name, c.why, c.want, err, got)
		}
	}
}

func pack(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, head := range entries {
		if err := w.WriteHeader(&head); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, head.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFiles(t *testing.T) {
	good := pack(t, tar.Header{Typeflag: tar.TypeReg, Name: "./a/b", Size: 3}, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/etc/passwd"})
	files, err := Files(good)
	if err != nil || len(files) != 1 || files["a/b"] != "\x00\x00\x00" {
		t.Errorf("Files = %v, %v: want the one regular file", files, err)
	}
	for why, archive := range map[string][]byte{
		"leads out":          pack(t, tar.Header{Typeflag: tar.TypeReg, Name: "../b"}),
		"more than 64 MiB":   pack(t, tar.Header{Typeflag: tar.TypeReg, Name: "b", Size: MaxSize + 1}),
		"reading the source": []byte("no archive"),
		"unexpected EOF":     good[:len(good)-20],
	} {
		if _, err := Files(archive); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want an ErrInvalid with %q", err, why)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, seed := range []string{configMap + "a}\n", "---\n--- {}\n", "kind: List\nitems: [{}]\n", "a: &a [*a]\n", "\xff", "{\"a\":\t1}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Plain(map[string]string{"a.yaml": text}, "")
		if err != nil {
			if !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%q: %v is no ErrInvalid", text, err)
			}
			return
		}
		again, err := Plain(map[string]string{"a.yaml": string(got)}, "")
		if err != nil || !bytes.Equal(got, again) {
			t.Errorf("%q: what was settled does not stay so: %v\n%s\n%s", text, err, got, again)
		}
	})
}

// Many who build at once do not hold up somebody whose time is over.
func TestKustomizeWithin(t *testing.T) {
	files := filesOf("-- kustomization.yaml --\nresources: [a.yaml]\n-- a.yaml --\n" + configMap + "a}\n")
	building <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := KustomizeWithin(ctx, files, "", KustomizeOptions{})
	<-building
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("the error is %v; want that the time is over, which is not the files' fault", err)
	}
	if _, err := KustomizeWithin(t.Context(), files, "", KustomizeOptions{}); err != nil {
		t.Errorf("once nobody builds: %v", err)
	}
}

func TestKustomizeExtent(t *testing.T) {
	// Each layer uses the one below it twice.
	doubling := map[string]string{"l0/kustomization.yaml": "resources: [a.yaml]\n", "l0/a.yaml": configMap + "a}\n"}
	for i := range 14 {
		for _, side := range []string{"b", "c"} {
			doubling[fmt.Sprintf("l%d/%s/kustomization.yaml", i+1, side)] = fmt.Sprintf("namePrefix: %s\nresources: [../../l%d]\n", side, i)
		}
		doubling[fmt.Sprintf("l%d/kustomization.yaml", i+1)] = "resources: [b, c]\n"
	}
	beside := map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": configMap + "a}\n", "film.mp4": strings.Repeat("x", mostBytes)}
	for i := range mostFiles {
		beside[fmt.Sprintf("docs/%d.md", i)] = ""
	}
	large := map[string]string{"kustomization.yaml": "configMapGenerator: [{name: a, files: [a=film.mp4]}]\n", "film.mp4": beside["film.mp4"]}
	for _, c := range []struct {
		name, why string
		files     map[string]string
		path      string
		refused   bool
	}{
		{"Beside", "what the Kustomization does not read does not count", beside, "", false},
		{"Large", "what it reads does", large, "", true},
		{"Few", "a base that is used a few times", doubling, "l3", false},
		{"Doubling", "a base that is used many thousand times, in a few files", doubling, "l14", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Kustomize(c.files, c.path, KustomizeOptions{})
			if refused := errors.Is(err, fleet.ErrInvalid) && strings.Contains(err.Error(), "are possible"); refused != c.refused || err != nil && !refused {
				t.Errorf("%s: %v", c.why, err)
			}
		})
	}
}

func FuzzKustomize(f *testing.F) {
	for _, seed := range []string{"resources: [a.yaml]\n", "resources: [.]\n", "bases: [x]\nnamePrefix: p\n", "generators: ['a: b\n']\n", "patches: [{patch: '[]', target: {}}]\n"} {
		f.Add(seed, configMap+"a}\n")
	}
	f.Fuzz(func(t *testing.T, kustomization, file string) {
		files := map[string]string{"kustomization.yaml": kustomization, "a.yaml": file}
		one, err := Kustomize(files, "", KustomizeOptions{Values: map[string]string{"A": "x"}})
		if err != nil {
			return
		}
		two, err := Kustomize(files, "", KustomizeOptions{Values: map[string]string{"A": "x"}})
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("the same files give other bytes: %v", err)
		}
	})
}

func FuzzApply(f *testing.F) {
	for _, seed := range []string{"- {op: add, path: /data/a, value: b}", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, $patch: delete}", "[]", "{}", "- {op: move, from: /data, path: /metadata/x}"} {
		f.Add(seed, "Config.*")
	}
	manifests := []byte(configMap + "a}\ndata: {x: y}\n---\n" + configMap + "b, namespace: n}\n")
	f.Fuzz(func(t *testing.T, patch, kind string) {
		got, err := Apply([]Patch{{Patch: patch, Target: &Selector{Kind: kind}}}, manifests, "n")
		if err != nil {
			if !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%q: %v is no ErrInvalid", patch, err)
			}
			return
		}
		again, err := Apply([]Patch{{Patch: patch, Target: &Selector{Kind: kind}}}, manifests, "n")
		if err != nil || !bytes.Equal(got, again) {
			t.Errorf("%q: the same patch gives other bytes: %v", patch, err)
		}
	})
}
