package v1alpha1_test

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"portico.dev/portico/api/cost/v1alpha1"
)

// Digits stay as they are on their way through JSON, and are numbers in objects without types.
func TestDecimal(t *testing.T) {
	for _, digits := range []string{"0.02", "1200", "0.00005479452", "1e-7"} {
		var b v1alpha1.Budget
		if err := json.Unmarshal([]byte(`{"spec":{"monthly":`+digits+`}}`), &b); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(b.Spec)
		if err != nil || string(text) != `{"monthly":`+digits+`}` {
			t.Errorf("%s is written as %s, %v", digits, text, err)
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&b)
		if err != nil {
			t.Fatal(err)
		}
		switch v := content["spec"].(map[string]any)["monthly"].(type) {
		case float64, int64:
		default:
			t.Errorf("%s becomes %T %v", digits, v, v)
		}
		var back v1alpha1.Budget
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &back); err != nil || back.Spec.Monthly.Digits == "" {
			t.Errorf("%s comes back as %+v, %v", digits, back.Spec, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"spec":{"monthly":"much"}}`), &v1alpha1.Budget{}); err == nil {
		t.Error("a word is read as a number")
	}
}
