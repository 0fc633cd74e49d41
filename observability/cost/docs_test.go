package cost_test

import (
	"os"
	"regexp"
	"testing"

	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/price"
)

// The examples of the page are read by what they are for, and can be used together.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/observability/cost.md")
	if err != nil {
		t.Fatal(err)
	}
	var book price.Book
	list := func(l price.List, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		book.Lists = append(book.Lists, l)
	}
	budgets := 0
	for _, m := range regexp.MustCompile("(?s)```(yaml|csv|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		data := []byte(m[2])
		switch {
		case m[1] == "csv":
			list(price.ParseTable(data))
		case m[1] == "json":
			list(price.ParseCatalogue(data))
		case regexp.MustCompile(`(?m)^budgets:`).Match(data):
			all, err := budget.Parse(data)
			if err != nil {
				t.Error(err)
			}
			budgets += len(all)
		default:
			list(price.ParseCustom(data))
		}
	}
	if len(book.Lists) != 3 || budgets != 1 {
		t.Errorf("found %d lists and %d budgets, want 3 and 1", len(book.Lists), budgets)
	}
	if err := book.Check(); err != nil {
		t.Error(err)
	}
}
