package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// File is a rule file, in the form that Prometheus, vmalert and promxy read.
type File struct {
	Name string
	Data []byte
}

type fileContent struct {
	Groups []Group `json:"groups"`
}

// AlertFiles are the alerting rules, a file for each group, sorted by name.
func (r Rules) AlertFiles() []File {
	var out []File
	for _, g := range r.Alerts {
		name := fileName(g.Name) + ".yaml"
		if g.Cluster != "" {
			name = "__" + fileName(g.Cluster) + "__" + name
		}
		out = append(out, file(name, g))
	}
	return sorted(out)
}

// RecordFiles are the recording rules of a region, a file for each group, sorted by name.
func (r Rules) RecordFiles(region string) []File {
	var out []File
	for _, g := range r.RecordsFor(region) {
		out = append(out, file("_record__"+fileName(g.Name)+".yaml", g))
	}
	return sorted(out)
}

// AlertData is the data of the ConfigMap AlertOutput.
func (r Rules) AlertData() map[string]string {
	out := map[string]string{}
	for _, f := range r.AlertFiles() {
		out[f.Name] = string(f.Data)
	}
	return out
}

// RecordValues is the value of RecordOutputKey in a region's ConfigMap: values of k0rdent's chart
// for storage.
func (r Rules) RecordValues(region string) string {
	groups := map[string][]Rule{}
	for _, g := range r.RecordsFor(region) {
		groups[g.Name] = g.Rules
	}
	return string(marshal(map[string]any{"vmrules": map[string]any{"groups": groups}}))
}

// ReadOutput returns the files of a ConfigMap AlertOutput that its user keeps: what is no file of
// rules is a problem. They are written anew, since vmalert reads none of the files if one has a
// field that it does not know.
func ReadOutput(object string, data map[string]string) (files []File, problems []Problem) {
	for name, text := range data {
		at := place{object, name}
		var c fileContent
		if err := strictYAML(text, &c); err != nil {
			problems = append(problems, at.problem("", Problem{Message: "expected groups of rules: " + err.Error()}))
			continue
		}
		wrong := contentProblems(at, c)
		if problems = append(problems, wrong...); len(wrong) == 0 {
			files = append(files, File{Name: fileName(strings.TrimSuffix(name, ".yaml")) + ".yaml", Data: marshal(c)})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	return sorted(files), problems
}

func contentProblems(at place, c fileContent) []Problem {
	var out []Problem
	groups := map[string]bool{}
	for _, g := range c.Groups {
		if g.Name == "" || groups[g.Name] {
			out = append(out, at.problem("", Problem{Message: fmt.Sprintf("the group %q has no name, or one that is there twice", g.Name)}))
		}
		if why := g.problem(); why != "" {
			out = append(out, at.problem("", Problem{Message: why}))
		}
		groups[g.Name] = true
		rules := map[string]bool{}
		for _, r := range g.Rules {
			why, bad := r.problem()
			if rules[r.identity()] && !bad {
				why, bad = twice(), true
			}
			if rules[r.identity()] = true; bad {
				out = append(out, at.problem(r.Name(), why))
			}
		}
	}
	return out
}

func file(name string, g Group) File {
	return File{Name: name, Data: marshal(fileContent{[]Group{g}})}
}

// marshal writes what always can be written.
func marshal(v any) []byte {
	out, err := yaml.Marshal(v)
	if err != nil {
		return []byte(fmt.Sprintf("# cannot be written: %v\n", err))
	}
	return out
}

func sorted(files []File) []File {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// fileName makes a name of a group into one that a file and a key of a ConfigMap may have. Names
// that had to be changed stay apart by a digest.
func fileName(group string) string {
	if plain := notInNames.ReplaceAllString(group, "-"); plain != group {
		sum := sha256.Sum256([]byte(group))
		return plain + "-" + hex.EncodeToString(sum[:4])
	}
	return group
}
