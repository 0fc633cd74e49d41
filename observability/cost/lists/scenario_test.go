package lists

import (
	"fmt"
	"testing"
	"time"

	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/observability/cost/price"
)

// A scenario has the lists, and the texts of their sources; what comes out is which lists count and
// why, the prices of places, and conditions.
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var saw Observed
		if err := in.Decode("observed.yaml", &saw); err != nil {
			return nil, err
		}
		var places []price.Place
		if in.Has("places.yaml") {
			if err := in.Decode("places.yaml", &places); err != nil {
				return nil, err
			}
		}
		plan := Decide(saw)
		if again := Decide(saw); again.Digest != plan.Digest {
			t.Error("the same lists have another digest")
		}
		var verdicts, prices []string
		for _, v := range plan.Verdicts {
			verdicts = append(verdicts, fmt.Sprintf("%s: %s, %d prices: %s", v.Name, v.Reason, v.Prices, v.Message))
		}
		for _, p := range places {
			b := plan.Terms.Book.At(p)
			rates, from := b.Defaults()
			n := b.Node(price.Machine{InstanceType: "m5.large", Region: p.Region, Provider: p.Provider})
			v, _, _ := b.Volume(price.Disk{Class: "fast"})
			prices = append(prices, fmt.Sprintf("%+v: core %v (%s), m5.large %v of %s, fast %v", p, rates.CPU.Float(), from, n.Hourly.Float(), n.From, v.Float()))
		}
		out := []scenario.Section{
			scenario.Text("verdicts", verdicts...),
			scenario.Text("terms", plan.Terms.Book.Currency(), fmt.Sprintf("shares %+v, idle %d", plan.Terms.Shares, plan.Terms.Idle)),
			scenario.Text("notes", plan.Terms.Notes...),
		}
		if len(places) > 0 {
			out = append(out, scenario.Text("prices", prices...))
		}
		for i := range saw.Lists {
			status := Status(&saw.Lists[i], plan.Verdicts[0], time.Unix(0, 0))
			if status.ObservedGeneration != saw.Lists[i].Generation {
				t.Error("the status speaks of another generation")
			}
		}
		return out, nil
	})
}
