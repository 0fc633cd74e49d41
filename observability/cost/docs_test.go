package cost_test

import (
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/observability/cost/lists"
	"portico.dev/portico/observability/cost/price"
)

// The prices of the page are read by what they are for, and can be used together.
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
	for _, m := range regexp.MustCompile("(?s)```(yaml|csv|json)\n(.*?)(```|\n---)").FindAllStringSubmatch(string(text), -1) {
		data := []byte(m[2])
		switch m[1] {
		case "csv":
			list(price.ParseTable(data))
		case "json":
			list(price.ParseCatalogue(data))
		case "yaml":
			var o costv1.PriceList
			if err := yaml.UnmarshalStrict(data, &o); err != nil {
				t.Fatal(err)
			}
			l, errs := lists.Read(o.Name, o.Spec, "")
			list(l, errs.ToAggregate())
		}
	}
	if len(book.Lists) != 3 {
		t.Errorf("found %d lists, want 3", len(book.Lists))
	}
	if err := book.Check(); err != nil {
		t.Error(err)
	}
}
