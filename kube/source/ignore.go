package source

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	"portico.dev/portico/kube/source/archive"
)

// ignoreFile is where a source says which of its files are not part of it.
const ignoreFile = ".sourceignore"

// defaultIgnore is what Flux leaves out where the object does not say otherwise.
func defaultIgnore() string {
	return strings.Join([]string{
		".git/", ".gitignore", ".gitmodules", ".gitattributes",
		"*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip",
		".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml",
		"cloudbuild.yaml", "codeship-services.yml", "codeship-steps.yml",
		"**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml",
	}, "\n")
}

// ignores decides which files belong to an artifact, by patterns as in .gitignore: the last one
// that matches wins.
type ignores struct{ matcher gitignore.Matcher }

// newIgnores reads the ignore files below dir. The object's own rules come last and replace the
// default ones.
func newIgnores(dir string, rules *string) (ignores, error) {
	var patterns []gitignore.Pattern
	if rules == nil {
		patterns = parsePatterns(strings.NewReader(defaultIgnore()), nil)
	}
	found, err := patternsBelow(dir)
	if err != nil {
		return ignores{}, err
	}
	patterns = append(patterns, found...)
	if rules != nil {
		patterns = append(patterns, parsePatterns(strings.NewReader(*rules), nil)...)
	}
	return ignores{gitignore.NewMatcher(patterns)}, nil
}

func patternsBelow(dir string) ([]gitignore.Pattern, error) {
	var patterns []gitignore.Pattern
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != ignoreFile || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		var domain []string
		if rel, err := filepath.Rel(dir, filepath.Dir(file)); err == nil && rel != "." {
			domain = strings.Split(filepath.ToSlash(rel), "/")
		}
		patterns = append(patterns, parsePatterns(f, domain)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s files: %w", ignoreFile, err)
	}
	return patterns, nil
}

func parsePatterns(r io.Reader, domain []string) []gitignore.Pattern {
	var patterns []gitignore.Pattern
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		patterns = append(patterns, gitignore.ParsePattern(line, domain))
	}
	return patterns
}

func (i ignores) keep(name string, isDir bool) bool {
	return !i.matcher.Match(strings.Split(name, "/"), isDir)
}

// repack packs the files below dir that are not ignored.
func repack(w io.Writer, dir string, rules *string) error {
	ignored, err := newIgnores(dir, rules)
	if err != nil {
		return failed(sourcev1.ReadOperationFailedReason, "packing the artifact", err)
	}
	return archive.PackDir(w, dir, ignored.keep)
}
