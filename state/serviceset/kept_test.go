package serviceset

import (
	"fmt"
	"strings"
	"testing"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/values"
)

// What is kept of merged values is bounded by its size, however large one result is.
func TestKeptIsBounded(t *testing.T) {
	k := &kept{}
	held := func() (n int) {
		for _, half := range []int{len(k.young), len(k.old)} {
			n += half
		}
		return n
	}
	const size = 1 << 20
	for i := range 40 {
		if _, err := k.get(values.Input{Inline: fmt.Sprintf("a: b%d%s", i, strings.Repeat("x", size))}); err != nil {
			t.Fatal(err)
		}
		if held()*size > keptBytes {
			t.Fatalf("after %d results, %d are kept", i+1, held())
		}
	}
	if held() < 8 {
		t.Errorf("only %d are kept", held())
	}
	young := len(k.young)
	if _, err := k.get(values.Input{Inline: "a: " + strings.Repeat("y", keptBytes)}); err != nil || len(k.young) != young {
		t.Errorf("what is too large was kept: %v", err)
	}
}

// What came out of a Secret does not stay in memory.
func TestSecretsAreNotKept(t *testing.T) {
	saw := Observed{kept: &kept{}, Values: map[string]values.Source{}}
	for _, kind := range []string{"Secret", "ConfigMap"} {
		from := kcm.ValuesFrom{Kind: kind, Name: "x"}
		saw.Values[nameOfValues(from)] = values.Source{Kind: kind, Name: "x", Data: map[string]string{"values": "a: " + kind}}
		var out engine.Service
		give(&out, kcm.ServiceWithValues{Name: "web", ValuesFrom: []kcm.ValuesFrom{from}}, saw)
		if !strings.Contains(out.Values, kind) || out.Problem != "" {
			t.Errorf("the values are %q, %s", out.Values, out.Problem)
		}
		if got, want := len(saw.kept.young), map[string]int{"Secret": 0, "ConfigMap": 1}[kind]; got != want {
			t.Errorf("of a %s, %d results are kept, want %d", kind, got, want)
		}
	}
	if !secret(values.Input{Facts: values.Facts{MgmtResources: map[string]map[string]any{"x": {"kind": "Secret"}}}}) {
		t.Error("a Secret that expressions quote is none")
	}
}
