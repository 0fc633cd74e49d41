package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission"
	costv1 "portico.dev/portico/api/cost/v1alpha1"
)

func (w world) budget() rules[costv1.Budget, *costv1.Budget] {
	return rules[costv1.Budget, *costv1.Budget]{
		validate: func(ctx context.Context, b, old *costv1.Budget) (field.ErrorList, error) {
			var all costv1.BudgetList
			if err := w.now().list(ctx, &all, client.InNamespace(b.Namespace)); err != nil {
				return nil, err
			}
			return admission.ValidateBudget(b, old, admission.BudgetRefs{SystemNamespace: w.SystemNamespace, Others: all.Items}), nil
		},
	}
}

func (w world) priceList() rules[costv1.PriceList, *costv1.PriceList] {
	return rules[costv1.PriceList, *costv1.PriceList]{
		validate: func(ctx context.Context, l, old *costv1.PriceList) (field.ErrorList, error) {
			var refs admission.PriceListRefs
			text, there, err := w.pricesOf(ctx, l)
			if err != nil {
				return nil, err
			}
			spec := l.Spec
			if !there {
				spec.Source = nil
			}
			if w.CheckPrices != nil {
				refs.Prices = w.CheckPrices(l.Name, spec, text)
			}
			return admission.ValidatePriceList(l, old, refs), nil
		},
		warnings: func(ctx context.Context, l, _ *costv1.PriceList) ([]string, error) {
			_, there, err := w.pricesOf(ctx, l)
			if err != nil || there {
				return nil, err
			}
			from := l.Spec.Source.ConfigMap
			return []string{fmt.Sprintf("spec.source.configMap: ConfigMap %s/%s does not exist, or has no key %s: the list does not count until it does", w.SystemNamespace, from.Name, from.Key)}, nil
		},
	}
}

// pricesOf reads what the source of a list holds; a list without a source lacks nothing.
func (w world) pricesOf(ctx context.Context, l *costv1.PriceList) (text string, there bool, err error) {
	if l.Spec.Source == nil {
		return "", true, nil
	}
	from := l.Spec.Source.ConfigMap
	cm, err := get[corev1.ConfigMap](ctx, w, in(w.SystemNamespace, from.Name))
	if cm == nil || err != nil {
		return "", false, err
	}
	text, there = cm.Data[from.Key]
	return text, there, nil
}
