package admission_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// verdict is one row of a table: what was found, and the errors that are expected, each as
// "path: words of the message" in the order in which they come.
type verdict struct {
	name, why string
	errs      field.ErrorList
	want      []string
}

func check(t *testing.T, rows []verdict) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for i, e := range row.errs {
				text := e.Field + ": " + e.ErrorBody()
				if i < len(row.want) {
					if at, words, _ := strings.Cut(row.want[i], ": "); e.Field == at && strings.Contains(e.ErrorBody(), words) {
						text = row.want[i]
					}
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", row.why, diff)
			}
		})
	}
}

// from reads an object from YAML.
func from[T any](t *testing.T, text string) *T {
	t.Helper()
	o := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), o); err != nil {
		t.Fatal(err)
	}
	return o
}

// but returns a copy that was changed.
func but[T any, P interface {
	*T
	DeepCopy() *T
}](o P, change func(P)) P {
	c := P(o.DeepCopy())
	change(c)
	return c
}
