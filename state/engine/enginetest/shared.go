package enginetest

import (
	"testing"

	"portico.dev/portico/state/engine"
)

// Of two services of manifests with the same object the one that the other yields to has it,
// whichever came first, and the other gets it back.
func yields(t *testing.T, lab Lab) {
	x := try(t, lab)
	source := func(texts map[string]string) engine.Source {
		files := map[string]string{}
		for name, text := range texts {
			files[name+".yaml"] = configMap(name, text)
		}
		return ability[SourceLab](x, lab).Source(t, engine.Resource, files)
	}
	low := x.manifests("low", engine.Resource, engine.Source{})
	high := x.manifests("high", engine.Resource, engine.Source{})
	alone := high
	high.Yields = []engine.Key{low.Key}
	x.allowed(x.set(high, low))
	objects := ability[ObjectTarget](x, x.target)
	set := func(what string, texts map[string]string) engine.Set {
		t.Helper()
		high.Source = source(map[string]string{"shared": "high", "own": "high"})
		low.Source = source(texts)
		x.await(x.set(high, low), what, are(engine.Deployed, "high", "low"))
		x.text(objects, "own", "high")
		return x.set(high, low)
	}
	alone.Source = source(map[string]string{"shared": "high", "own": "high"})
	x.await(x.set(alone), "the one that yields, alone", are(engine.Deployed, "high"))
	x.text(objects, "shared", "high")

	both := set("the other one beside it", map[string]string{"shared": "low"})
	x.text(objects, "shared", "low")
	writes := x.target.Writes()
	x.quiet(both, x.apply(both), "the object goes back and forth")
	x.restart()
	x.quiet(both, x.await(both, "the adoption", are(engine.Deployed, "high", "low")), "the report changed although nothing did")
	if now := x.target.Writes(); now != writes {
		t.Errorf("%d writes although nothing was to do", now-writes)
	}
	x.text(objects, "shared", "low")
	set("one that does not hold it any more", map[string]string{"other": "low"})
	x.text(objects, "shared", "high")
	set("one that holds it again", map[string]string{"other": "low", "shared": "again"})
	x.text(objects, "shared", "again")
	x.await(x.set(alone), "the one that yields, alone again", func(r engine.Report) bool {
		return find(r, "high").State == engine.Deployed && find(r, "low").State == "not listed"
	})
	x.text(objects, "shared", "high")
	x.text(objects, "other", "")
	x.end(engine.Removal{Ref: x.set().Ref})
	for _, name := range []string{"shared", "own", "other"} {
		x.text(objects, name, "")
	}
}

// The namespaces that manifests need are made, unless that is not wanted: then the service fails for
// want of one.
func namespaces(t *testing.T, lab Lab) {
	x := try(t, lab)
	svc := x.manifests("m", engine.Resource, engine.Source{})
	svc.Key = engine.Key{Namespace: "default", Name: x.target.Namespace()}
	svc.SkipNamespaces = true
	x.allowed(x.set(svc))
	objects := ability[ObjectTarget](x, x.target)
	svc.Source = ability[SourceLab](x, lab).Source(t, engine.Resource, map[string]string{
		"m.yaml": replaced(configMap("m", "one"), "name: m", "name: m, namespace: "+x.target.Namespace()),
	})
	x.await(x.set(svc), "the want of the namespace", says(svc.Key.Name, engine.Failed, x.target.Namespace()))
	x.text(objects, "m", "")
	svc.SkipNamespaces = false
	x.await(x.set(svc), "the namespace", are(engine.Deployed, svc.Key.Name))
	x.text(objects, "m", "one")
	x.end(engine.Removal{Ref: x.set().Ref})
	x.text(objects, "m", "")
}
