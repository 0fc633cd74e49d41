package conventions_test

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portico.dev/portico/internal/conventions"
)

const (
	module   = "portico.dev/portico/"
	root     = "../.."
	maxDoc   = 30
	maxLines = 60
)

func load(t *testing.T) conventions.Source {
	t.Helper()
	src, err := conventions.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(src.Packages) < 10 {
		t.Fatalf("found %d packages under %s: the test looks at the wrong folder", len(src.Packages), root)
	}
	return src
}

// layers says which folder must not import what. A trailing slash means the folder and all below.
var layers = []struct {
	pkg, mustNotImport, why string
}{
	{"api/", "sigs.k8s.io/controller-runtime", "whoever imports our types must not inherit a controller framework"},
	{"api/", "k8s.io/client-go", "wire types stand alone"},
	{"api/", module + "fleet", "wire types stand alone"},
	{"pki/", "k8s.io/", "certificates are the standard library's"},
	{"fleet/", "sigs.k8s.io/", "the vocabulary is pure"},
	{"fleet/", "k8s.io/client-go", "the vocabulary is pure"},
	{"clusters/", module + "state", "pillars meet in the API server and in fleet's words"},
	{"clusters/", module + "observability", "pillars meet in the API server and in fleet's words"},
	{"state/", module + "clusters", "pillars meet in the API server and in fleet's words"},
	{"state/", module + "observability", "pillars meet in the API server and in fleet's words"},
	{"kube/", module + "clusters", "the chassis knows no pillar"},
	{"kube/", module + "state", "the chassis knows no pillar"},
	{"kube/", module + "server", "the chassis knows no reader"},
	{"clusters/", module + "server", "read models read what controllers write, never the other way round"},
	{"state/", module + "server", "read models read what controllers write, never the other way round"},
}

// borders says which folders alone import what, with the packages below it.
var borders = []struct {
	imported string
	by       []string
	why      string
}{
	{
		"sigs.k8s.io/cluster-api", []string{"clusters/capi/", "clusters/provider/", "clusters/hosted/", "clusters/local/", "app/", "internal/"},
		"Cluster API stays behind clusters/capi and the providers; app lists its kinds; others judge objects by their contract",
	},
	{module + "state/engines", []string{"state/engines/", "app/"}, "engines are chosen in app"},
	{module + "app", []string{"app/", "bench/", "cmd/"}, "wiring is above; bench measures what is wired"},
	{module + "cli", []string{"cli/", "app/", "internal/e2e/"}, "commands are above"},
}

func TestBorders(t *testing.T) {
	met := make([]bool, len(borders))
	for _, p := range load(t).Packages {
		for i, border := range borders {
			inside := slices.ContainsFunc(border.by, func(dir string) bool { return strings.HasPrefix(p.Dir+"/", dir) })
			for _, imp := range p.Imports() {
				if imp != border.imported && !strings.HasPrefix(imp, border.imported+"/") {
					continue
				}
				met[i] = true
				if !inside {
					t.Errorf("%s imports %s: %s", p.Dir, imp, border.why)
				}
			}
		}
	}
	for i, border := range borders {
		if !met[i] {
			t.Errorf("nobody imports %s: its border is one of the past", border.imported)
		}
	}
}

func TestLayers(t *testing.T) {
	for _, p := range load(t).Packages {
		for _, rule := range layers {
			if !strings.HasPrefix(p.Dir+"/", rule.pkg) {
				continue
			}
			for _, imp := range p.Imports() {
				if imp == rule.mustNotImport || strings.HasPrefix(imp, strings.TrimSuffix(rule.mustNotImport, "/")+"/") {
					t.Errorf("%s imports %s: %s", p.Dir, imp, rule.why)
				}
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range load(t).Packages {
		docs := p.Docs()
		if len(docs) != 1 {
			t.Errorf("%s has %d package comments, want exactly one", p.Dir, len(docs))
			continue
		}
		for file, doc := range docs {
			if n := strings.Count(doc, "\n"); n > maxDoc {
				t.Errorf("%s: the package comment has %d lines, at most %d", file, n, maxDoc)
			}
			want := "Package " + p.Name() + " "
			if p.Name() == "main" {
				want = "Command "
			}
			if !strings.HasPrefix(doc, want) {
				t.Errorf("%s: the package comment begins %.40q, want %q", file, doc, want)
			}
		}
	}
}

func TestPackageNames(t *testing.T) {
	banned := []string{"util", "utils", "common", "helpers", "helper", "types", "models", "manager", "misc", "base"}
	for _, p := range load(t).Packages {
		if slices.Contains(banned, p.Name()) {
			t.Errorf("%s: package %q says nothing; name the noun that it holds", p.Dir, p.Name())
		}
	}
}

func TestExportedAreDocumented(t *testing.T) {
	src := load(t)
	for _, p := range src.Packages {
		for _, f := range p.Files {
			if f.Generated || p.Name() == "main" {
				continue
			}
			for _, name := range undocumented(f.Syntax) {
				t.Errorf("%s: %s is exported and has no comment", f.Path, name)
			}
		}
	}
}

func undocumented(file *ast.File) []string {
	var out []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
				out = append(out, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok && spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
					out = append(out, spec.Name.Name)
				}
			}
		}
	}
	return out
}

// exportedReceiver says whether a reader of the package's documentation meets the function:
// methods of unexported types are implementations, documented where the interface is.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if idx, ok := typ.(*ast.IndexExpr); ok {
		typ = idx.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// longFunctions are the functions that may be longer than maxLines, each with its reason.
var longFunctions = map[string]string{}

func TestFunctionLength(t *testing.T) {
	src := load(t)
	for _, p := range src.Packages {
		for _, f := range p.Files {
			if f.Generated {
				continue
			}
			for _, d := range f.Syntax.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				lines := src.Fset.Position(fn.End()).Line - src.Fset.Position(fn.Pos()).Line
				if _, excused := longFunctions[f.Path+" "+fn.Name.Name]; lines > maxLines && !excused {
					t.Errorf("%s: %s has %d lines, at most %d", f.Path, fn.Name.Name, lines, maxLines)
				}
			}
		}
	}
}

// The world is handed in: pure files of the pillars see no clock, environment or chance.
func TestNoWorldInPureFiles(t *testing.T) {
	forbidden := []string{"time.Now", "time.Since", "time.Sleep", "os.Getenv", "os.ReadFile", "rand."}
	pure := regexp.MustCompile(`^(fleet|admission|clusters|state|observability)/(.*/)?(plan|status|decide|validate|translate)[a-z_]*\.go$`)
	for _, p := range load(t).Packages {
		for _, f := range p.Files {
			if !pure.MatchString(f.Path) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(root, f.Path))
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range forbidden {
				if strings.Contains(string(text), word) {
					t.Errorf("%s uses %s: hand it in through the constructor", f.Path, word)
				}
			}
		}
	}
}

func TestNoScaffolding(t *testing.T) {
	promise := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	for _, p := range load(t).Packages {
		for _, f := range p.Files {
			for _, group := range f.Syntax.Comments {
				if m := promise.FindString(group.Text()); m != "" {
					t.Errorf("%s: a comment promises work (%s): do it, or write it down in docs/design/NOTES.md", f.Path, m)
				}
			}
		}
	}
}

// A direct dependency of any of our modules is one line with a reason.
func TestDependenciesHaveReasons(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Glob(filepath.Join(root, "engines/*/go.mod"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("found %d modules of engines, %v", len(modules), err)
	}
	for _, m := range []string{"go.mod", "api/go.mod", "pki/go.mod", "kubernetes/go.mod"} {
		modules = append(modules, filepath.Join(root, m))
	}
	// What follows the version is "// indirect", which is for the authors of others to explain.
	direct := regexp.MustCompile(`(?m)^(?:require |\t)([^ \n]+) v[^ \n]+$`)
	for _, file := range modules {
		mod, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range direct.FindAllStringSubmatch(string(mod), -1) {
			if strings.HasPrefix(m[1], strings.TrimSuffix(module, "/")) {
				continue
			}
			if !strings.Contains(string(doc), fmt.Sprintf("`%s`", m[1])) {
				t.Errorf("%s requires %s directly, docs/dependencies.md does not say why", file, m[1])
			}
		}
	}
}
