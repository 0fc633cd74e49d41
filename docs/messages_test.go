package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/preflight"
	"portico.dev/portico/config"
)

var code = regexp.MustCompile("`([^`]+)`")

// rows are the code words in the first column of every table of a page.
func rows(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		var words []string
		for _, m := range code.FindAllStringSubmatch(cells[1], -1) {
			words = append(words, m[1])
		}
		if len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

// Who meets an error of a start finds it in the page that explains them.
func TestErrorsOfAStartAreExplained(t *testing.T) {
	known := rows(t, "guides/troubleshooting.md")
	explained := func(message string) bool {
		for _, words := range known {
			all := true
			for _, w := range words {
				all = all && strings.Contains(message, w)
			}
			if all {
				return true
			}
		}
		return false
	}
	if explained("a message that nobody wrote") {
		t.Fatal("a row explains everything")
	}
	for _, p := range everyProblem() {
		if !explained(p.What) {
			t.Errorf("guides/troubleshooting.md does not explain: %s", p.What)
		}
	}
}

// everyProblem provokes all that a start can find wrong.
func everyProblem() []preflight.Problem {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	c := config.Default(0, func(string) string { return "" })
	taken := preflight.Taken{NamedPort: c.Ports().Named()[0], PID: 1, Program: "other"}
	tool := preflight.Tool{Name: "nft", Package: "nftables"}
	const low, tight = 1 << 20, 1 << 30
	var all []preflight.Problem
	for _, f := range []preflight.Facts{
		{MissingFiles: []string{"portico-kube"}, Empty: true, Free: low, Taken: []preflight.Taken{taken}, Now: now},
		{Used: true, Version: folder.Version{Layout: folder.Layout + 1}, Free: tight, Now: now, Root: true, MissingTools: []preflight.Tool{tool}},
		{Free: tight, Now: now, Authority: now.Add(time.Hour), Root: true},
	} {
		all = append(all, preflight.Check(c, f)...)
	}
	return all
}
