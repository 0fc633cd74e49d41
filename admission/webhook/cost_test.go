package webhook_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission/webhook"
	costv1 "portico.dev/portico/api/cost/v1alpha1"
)

// The prices in a list's source are judged with it, as far as they are there.
func TestPricesOfASource(t *testing.T) {
	prices := func(text string) client.Object {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kcm-system", Name: "prices"}, Data: map[string]string{"table.csv": text}}
	}
	elsewhere := prices("good")
	elsewhere.SetNamespace("default")
	for _, c := range []struct {
		why     string
		stored  []client.Object
		refusal string
		warning string
	}{
		{"They are there, and can be read.", []client.Object{prices("good")}, "", ""},
		{"They cannot be read: the author is told where.", []client.Object{prices("bad")}, "line 2", ""},
		{"They may come later.", nil, "", "does not exist"},
		{"Those of another namespace are others'.", []client.Object{elsewhere}, "", "does not exist"},
	} {
		scheme := newScheme(t)
		options := webhook.Options{Reader: holding(scheme, c.stored...), Scheme: scheme, CheckPrices: func(name string, spec costv1.PriceListSpec, text string) field.ErrorList {
			if name != "berlin" || spec.Source == nil && text != "" {
				t.Error(errors.New("another list is judged"))
			}
			if text == "bad" {
				return field.ErrorList{field.Invalid(field.NewPath("spec", "source"), "x", "line 2")}
			}
			return nil
		}}
		answer := send(t, options, webhook.ValidatePath(costv1.PriceListKind), &admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Name: "berlin",
			Object: runtime.RawExtension{Raw: []byte(`{"apiVersion":"cost.portico.dev/v1alpha1","kind":"PriceList","metadata":{"name":"berlin"},"spec":{"currency":"EUR","source":{"format":"CSV","configMap":{"name":"prices","key":"table.csv"}}}}`)},
		})
		said := ""
		if answer.Result != nil {
			said = answer.Result.Message
		}
		warned := slices.ContainsFunc(answer.Warnings, func(w string) bool { return c.warning != "" && strings.Contains(w, c.warning) })
		if answer.Allowed != (c.refusal == "") || !strings.Contains(said, c.refusal) || warned != (c.warning != "") {
			t.Errorf("%s got %t %q %q", c.why, answer.Allowed, said, answer.Warnings)
		}
	}
}

// Two budgets for one thing in one namespace are refused; in two they are two teams' own.
func TestBudgetTwice(t *testing.T) {
	other := &costv1.Budget{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "other"}, Spec: costv1.BudgetSpec{Monthly: costv1.Decimal{Digits: "1"}}}
	for namespace, allowed := range map[string]bool{"team": false, "another": true} {
		answer := ask(t, []client.Object{other}, webhook.ValidatePath(costv1.BudgetKind), &admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Namespace: namespace, Name: "mine",
			Object: runtime.RawExtension{Raw: []byte(`{"apiVersion":"cost.portico.dev/v1alpha1","kind":"Budget","metadata":{"name":"mine"},"spec":{"monthly":12.5}}`)},
		})
		if answer.Allowed != allowed {
			t.Errorf("in namespace %s: %+v", namespace, answer)
		}
	}
}
