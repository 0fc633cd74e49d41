package helm

import (
	"fmt"
	"slices"
	"strings"
)

// Words say what does not run: the first problem, and how many more there are; nothing of none.
func Words(problems []Problem) string {
	if len(problems) == 0 {
		return ""
	}
	first := fmt.Sprintf("%s: %s", problems[0].Object, problems[0].Message)
	if len(problems) > 1 {
		return fmt.Sprintf("%s (and %d more)", first, len(problems)-1)
	}
	return first
}

// mostLines is how many differences are told in words.
const mostLines = 10

// Lines say what differs, one for each object, for example "Deployment default/web: spec.replicas";
// sorted, ten at most.
func Lines(found []Difference) []string {
	dots := strings.NewReplacer("/", ".", "~1", "/", "~0", "~")
	var out []string
	for _, d := range found {
		what := "it was deleted"
		if len(d.Fields) > 0 {
			fields := slices.Clone(d.Fields)
			for i, pointer := range fields {
				fields[i] = dots.Replace(strings.TrimPrefix(pointer, "/"))
			}
			what = strings.Join(fields, ", ")
		}
		out = append(out, d.Object+": "+what)
	}
	slices.Sort(out)
	return out[:min(len(out), mostLines)]
}
