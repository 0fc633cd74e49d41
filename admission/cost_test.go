package admission_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/admission"
	costv1 "portico.dev/portico/api/cost/v1alpha1"
)

func TestBudgets(t *testing.T) {
	budget := func(namespace, name, of string) *costv1.Budget {
		b := from[costv1.Budget](t, "spec: {monthly: 12.5, for: "+of+"}")
		b.Namespace, b.Name = namespace, name
		return b
	}
	if b := budget("team", "x", "{}"); b.Spec.Monthly.Digits != "12.5" {
		t.Errorf("the amount is read as %s", b.Spec.Monthly)
	}
	refs := admission.BudgetRefs{SystemNamespace: "kcm-system", Others: []costv1.Budget{*budget("team", "other", "{tenant: red}"), *budget("team", "mine", "{cluster: demo}")}}
	row := func(name, why, namespace, of string, want ...string) verdict {
		return verdict{name, why, admission.ValidateBudget(budget(namespace, "mine", of), nil, refs), want}
	}
	check(t, []verdict{
		row("Everything", "All clusters of the namespace.", "team", "{}"),
		row("Narrow", "All that is written has to match.", "team", "{tenant: red, cluster: demo, namespace: shop, label: {name: example.com/team, value: a}}"),
		row("Elsewhere", "The platform names clusters of all namespaces.", "kcm-system", "{cluster: team/demo}"),
		row("Peeping", "What clusters of others cost is not told.", "team", "{cluster: other/demo}", "spec.for.cluster: clusters of its own namespace"),
		row("Tenant", "It is the value of a label, and of a metric's.", "team", `{tenant: 'red"} or {x="'}`, "spec.for.tenant: value of a label"),
		row("Names", "Such things cannot be.", "kcm-system", "{cluster: Team/Demo, namespace: a.b, label: {name: 'a b', value: '-'}}",
			"spec.for.cluster: lower case", "spec.for.cluster: lower case", "spec.for.namespace: lower case", "spec.for.label.value: value of a label", "spec.for.label.name: name of a label"),
		row("Twice", "Two limits of one thing contradict each other.", "team", "{tenant: red}", "spec.for: Budget other is for the same"),
		{"Unchanged", "A label can be changed though the spec is from older days.", admission.ValidateBudget(budget("team", "x", "{tenant: '-'}"), budget("team", "x", "{tenant: '-'}"), refs), nil},
	})
}

func TestPriceLists(t *testing.T) {
	list := func(spec string) *costv1.PriceList {
		return from[costv1.PriceList](t, "metadata: {name: x}\nspec: {currency: EUR, "+spec+"}")
	}
	bad := field.ErrorList{field.Invalid(field.NewPath("spec", "source", "configMap"), "prices/table.csv", "line 2, column 32: MarketPriceHourly: expected a price")}
	row := func(name, why, spec string, prices field.ErrorList, want ...string) verdict {
		return verdict{name, why, admission.ValidatePriceList(list(spec), nil, admission.PriceListRefs{Prices: prices}), want}
	}
	check(t, []verdict{
		row("Good", "Prices, and where they count.", "for: {cluster: demo, namespace: team}, defaults: {cpu: 0.02, ram: 0.003, gpu: 1, storage: 0}", nil),
		row("Names", "No cluster is called so.", "for: {cluster: team/demo, namespace: A}", nil, "spec.for.cluster: lower case", "spec.for.namespace: lower case"),
		row("Shares", "Nothing would be shared.", "shares: {namespaces: [kube_system], labels: [{name: '', value: a}]}", nil,
			"spec.shares.namespaces[0]: lower case", "spec.shares.labels[0].name: name of a label"),
		row("Prices", "What reads the prices says what is wrong with them.", "source: {format: CSV, configMap: {name: prices, key: table.csv}}", bad, "spec.source.configMap: line 2"),
		{"Unchanged", "The source may have become wrong since: its list can be labelled.", admission.ValidatePriceList(list("for: {cluster: A}"), list("for: {cluster: A}"), admission.PriceListRefs{Prices: bad}), nil},
	})
}
