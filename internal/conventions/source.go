package conventions

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Package is one folder of Go source, tests excluded.
type Package struct {
	// Dir is relative to the repository, with slashes; "." is its root.
	Dir string
	// Files are the parsed files, sorted by name.
	Files []File
}

// File is one parsed file.
type File struct {
	// Path is relative to the repository, with slashes.
	Path string
	// Syntax holds the comments too.
	Syntax *ast.File
	// Generated is true for files that a tool writes.
	Generated bool
}

// Source is the repository's own Go code.
type Source struct {
	Fset     *token.FileSet
	Packages []Package
}

// Load parses every package under root, tests and data folders excluded.
func Load(root string) (Source, error) {
	src := Source{Fset: token.NewFileSet()}
	byDir := map[string]*Package{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(d.Name()) && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return src.add(byDir, path, filepath.ToSlash(rel))
	})
	if err != nil {
		return Source{}, fmt.Errorf("reading the source under %s: %w", root, err)
	}
	for _, p := range byDir {
		slices.SortFunc(p.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
		src.Packages = append(src.Packages, *p)
	}
	slices.SortFunc(src.Packages, func(a, b Package) int { return strings.Compare(a.Dir, b.Dir) })
	return src, nil
}

func skipped(name string) bool {
	return name == "testdata" || name == "bin" || name == "node_modules" || strings.HasPrefix(name, ".")
}

func (s *Source) add(byDir map[string]*Package, path, rel string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(s.Fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := filepath.ToSlash(filepath.Dir(rel))
	if byDir[dir] == nil {
		byDir[dir] = &Package{Dir: dir}
	}
	byDir[dir].Files = append(byDir[dir].Files, File{Path: rel, Syntax: syntax, Generated: ast.IsGenerated(syntax)})
	return nil
}

// Name is the package clause's.
func (p Package) Name() string { return p.Files[0].Syntax.Name.Name }

// Docs are the package comments found, by file.
func (p Package) Docs() map[string]string {
	docs := map[string]string{}
	for _, f := range p.Files {
		if f.Syntax.Doc != nil {
			docs[f.Path] = f.Syntax.Doc.Text()
		}
	}
	return docs
}

// Imports are the import paths of the package, sorted, each once.
func (p Package) Imports() []string {
	var out []string
	for _, f := range p.Files {
		for _, spec := range f.Syntax.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil {
				out = append(out, path)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
