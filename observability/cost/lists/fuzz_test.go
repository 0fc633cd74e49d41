package lists

import (
	"encoding/json"
	"testing"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
)

// Whatever stands in a list and its source, reading it ends, and what is read without a mistake is never a
// price below nothing, nor in two currencies.
func FuzzRead(f *testing.F) {
	f.Add("CSV", `{"currency":"EUR"}`, "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version\n,n,,node,metadata.name,,0.1,\n")
	f.Add("Catalogue", `{"currency":"EUR","per":"Month","nodes":[{"match":{"name":"n"},"whole":1e3}]}`, `{"provider":"aws","currency":"USD","instances":[{"type":"a","hourly":-1}]}`)
	f.Add("Custom", `{"currency":"EUR","defaults":{"cpu":0.1,"ram":1,"gpu":-1,"storage":1e-9},"shares":{"fixed":[{"name":"a","monthly":1}]}}`, "defaults: {cpu: 1")
	f.Fuzz(func(t *testing.T, format, spec, text string) {
		var s costv1.PriceListSpec
		if err := json.Unmarshal([]byte(spec), &s); err != nil {
			return
		}
		s.Source = &costv1.PriceSource{Format: costv1.SourceFormat(format), ConfigMap: costv1.ConfigMapKey{Name: "n", Key: "k"}}
		l, errs := Read("x", s, text)
		if len(errs) > 0 {
			for _, e := range errs {
				if e.Field == "" || e.Detail == "" {
					t.Errorf("a mistake without a place or a word: %+v", e)
				}
			}
			return
		}
		if l.Currency != s.Currency {
			t.Errorf("%s became %s", s.Currency, l.Currency)
		}
		for _, n := range l.Nodes {
			if n.Hourly < 0 || n.CPU < 0 || n.RAM < 0 || n.GPU < 0 {
				t.Errorf("a negative price: %+v", n)
			}
		}
		if d := l.Defaults; d != nil && (d.CPU < 0 || d.RAM < 0 || d.GPU < 0 || d.Storage < 0) {
			t.Errorf("a negative price: %+v", *d)
		}
	})
}
