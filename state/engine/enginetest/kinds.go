package enginetest

import (
	"testing"

	"portico.dev/portico/state/engine"
)

// configMap is the manifest of one without a namespace.
func configMap(name, text string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {text: " + text + "}\n"
}

// manifests is a service of plain files, or of a kustomization.
func (x *trial) manifests(name string, kind engine.Kind, source engine.Source) engine.Service {
	svc := x.service(name)
	svc.Kind, svc.Source, svc.Values, svc.Options = kind, source, "", engine.Options{}
	return svc
}

// Plain manifests are installed, followed, and removed, those that vanish from the source too.
func resource(t *testing.T, lab Lab) {
	tryFiles(t, lab, engine.Resource, map[string]string{"app/a.yaml": configMap("a", "TEXT"), "app/b.yml": configMap("b", "TEXT"), "README": "no manifest"},
		map[string]string{"app/a.yaml": configMap("a", "TEXT")})
}

// So is a kustomization, in a folder of its source that refers to another one.
func kustomize(t *testing.T, lab Lab) {
	base := func(names string) string { return "resources: [" + names + "]\n" }
	tryFiles(t, lab, engine.Kustomize,
		map[string]string{"app/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": base("a.yaml, b.yaml"), "base/a.yaml": configMap("a", "TEXT"), "base/b.yaml": configMap("b", "TEXT")},
		map[string]string{"app/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": base("a.yaml"), "base/a.yaml": configMap("a", "TEXT")})
}

// tryFiles installs a source with the ConfigMaps a and b, changes a, and drops b.
func tryFiles(t *testing.T, lab Lab, kind engine.Kind, both, one map[string]string) {
	x := try(t, lab)
	svc := x.manifests("a", kind, engine.Source{Path: "app", Files: both, Digest: engine.DigestOf(both)})
	x.allowed(x.set(svc))
	sources, objects := ability[SourceLab](x, lab), ability[ObjectTarget](x, x.target)
	from := func(files map[string]string, text string) engine.Service {
		filled := map[string]string{}
		for name, content := range files {
			filled[name] = replaced(content, "TEXT", text)
		}
		svc := x.manifests("a", kind, sources.Source(t, kind, filled))
		svc.Source.Path = "app"
		return svc
	}
	report := x.await(x.set(from(both, "one")), "the installation", are(engine.Deployed, "a"))
	if s := find(report, "a"); s.Kind != kind || s.Version != "1.0.0" || s.Digest == "" {
		t.Errorf("the report is %+v", s)
	}
	x.text(objects, "a", "one")
	x.text(objects, "b", "one")
	writes := x.target.Writes()
	x.restart()
	set := x.set(from(both, "one"))
	x.quiet(set, x.await(set, "the adoption", are(engine.Deployed, "a")), "the report changed although nothing did")
	if now := x.target.Writes(); now != writes {
		t.Errorf("%d writes although nothing was to do", now-writes)
	}
	x.await(x.set(from(both, "two")), "the change", func(r engine.Report) bool {
		return are(engine.Deployed, "a")(r) && find(r, "a").Digest != find(report, "a").Digest
	})
	x.text(objects, "a", "two")
	x.text(objects, "b", "two")
	x.await(x.set(from(one, "two")), "the smaller source", are(engine.Deployed, "a"))
	x.text(objects, "b", "")
	x.end(engine.Removal{Ref: set.Ref})
	x.text(objects, "a", "")
}

// What is wrong with the files is said, and the other services go on.
func brokenFiles(t *testing.T, lab Lab) {
	for _, f := range []struct {
		name  string
		kind  engine.Kind
		files map[string]string
		says  string
	}{
		{"no-yaml", engine.Resource, map[string]string{"app/a.yaml": "kind: [ConfigMap"}, "a.yaml"},
		{"missing-base", engine.Kustomize, map[string]string{"app/kustomization.yaml": "resources: [../nowhere]\n"}, "nowhere"},
	} {
		t.Run(f.name, func(t *testing.T) {
			x := try(t, lab)
			bad := x.manifests("bad", f.kind, engine.Source{Path: "app", Files: f.files, Digest: engine.DigestOf(f.files)})
			x.allowed(x.set(bad))
			bad.Source = ability[SourceLab](x, lab).Source(t, f.kind, f.files)
			bad.Source.Path = "app"
			x.await(x.set(bad, x.service("good")), "the failure", func(r engine.Report) bool {
				return says("bad", engine.Failed, f.says)(r) && find(r, "good").State == engine.Deployed
			})
		})
	}
}

// Patches change the objects of a service on their way, and a change of them is a change.
func patches(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := x.set(x.service("a"), x.service("b"))
	maps := engine.Selector{Kind: "ConfigMap", Name: "a"}
	set.Policy.Patches = []engine.Patch{{Patch: "{apiVersion: v1, kind: ConfigMap, metadata: {name: any}, data: {text: merged}}", Target: maps}}
	x.allowed(set)
	objects := ability[ObjectTarget](x, x.target)
	report := x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	x.text(objects, "a", "merged")
	x.text(objects, "b", "one")
	set.Policy.Patches = []engine.Patch{{Patch: "- op: replace\n  path: /data/text\n  value: replaced\n", Target: maps}}
	x.await(set, "another patch", func(r engine.Report) bool {
		return are(engine.Deployed, "a", "b")(r) && find(r, "a").Digest != find(report, "a").Digest
	})
	x.text(objects, "a", "replaced")
	x.text(objects, "b", "one")
}
