package remote

import (
	"fmt"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/tenant"
)

// Foreign is an error where one of the series is not the scope's. A store or a proxy that leaves
// matchers away shows by it; nothing of such an answer is used.
func Foreign(in store.Scope, sets []labels.Labels) error {
	for _, set := range sets {
		if !tenant.Sees(in, set) {
			return fmt.Errorf("the store answered a question of tenant %q with series of somebody else: it does not keep to the matchers of a selector", in.Tenant())
		}
	}
	return nil
}

// ForeignSeries is Foreign for series with samples.
func ForeignSeries(in store.Scope, series []store.Series) error {
	for _, s := range series {
		if err := Foreign(in, []labels.Labels{s.Labels}); err != nil {
			return err
		}
	}
	return nil
}
