package lists

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
)

// Read returns the prices of a spec. text is what its source holds; it is not looked at where there
// is no source. A list with errors is not to be used.
func Read(name string, spec costv1.PriceListSpec, text string) (price.List, field.ErrorList) {
	r := reader{per: spec.Per}
	at := field.NewPath("spec")
	l := price.List{Name: name, Currency: spec.Currency}
	if s := spec.For; s != nil {
		l.For = price.Scope{Provider: s.Provider, Region: s.Region, Cluster: s.Cluster, Home: s.Namespace}
	}
	if spec.Defaults != nil {
		l.Defaults = r.rates(*spec.Defaults, at.Child("defaults"))
	}
	r.nodes(&l, spec.Nodes, at.Child("nodes"))
	r.volumes(&l, spec.Volumes, at.Child("volumes"))
	if spec.Source != nil {
		r.source(&l, *spec.Source, text)
	}
	if spec.Shares != nil {
		_, errs := shares(*spec.Shares, at.Child("shares"))
		r.errs = append(r.errs, errs...)
	}
	return l, r.errs
}

// reader collects what is wrong.
type reader struct {
	per  costv1.Period
	errs field.ErrorList
}

// rate is a price as it is written.
func (r *reader) rate(d costv1.Decimal, at *field.Path) money.Rate {
	rate, err := money.ParseRate(d.Digits)
	if err != nil {
		r.errs = append(r.errs, field.Invalid(at, d.Digits, said(err)))
	}
	return rate
}

// timed is a price for an hour.
func (r *reader) timed(d costv1.Decimal, at *field.Path) money.Rate {
	rate := r.rate(d, at)
	if r.per == costv1.PerMonth {
		return rate.Monthly()
	}
	return rate
}

func (r *reader) timedOr(d *costv1.Decimal, otherwise money.Rate, at *field.Path) money.Rate {
	if d == nil {
		return otherwise
	}
	return r.timed(*d, at)
}

func (r *reader) rateOrFree(d *costv1.Decimal, at *field.Path) money.Rate {
	if d == nil {
		return 0
	}
	return r.rate(*d, at)
}

func (r *reader) rates(from costv1.Rates, at *field.Path) *price.Rates {
	to := &price.Rates{
		CPU: r.timed(from.CPU, at.Child("cpu")), RAM: r.timed(from.RAM, at.Child("ram")),
		GPU: r.timed(from.GPU, at.Child("gpu")), Storage: r.timed(from.Storage, at.Child("storage")),
		LoadBalancer:        r.timedOr(from.LoadBalancer, 0, at.Child("loadBalancer")),
		LoadBalancerIngress: r.rateOrFree(from.LoadBalancerIngress, at.Child("loadBalancerIngress")),
		Management:          r.timedOr(from.Management, 0, at.Child("management")),
	}
	to.SpotCPU = r.timedOr(from.SpotCPU, to.CPU, at.Child("spotCPU"))
	to.SpotRAM = r.timedOr(from.SpotRAM, to.RAM, at.Child("spotRAM"))
	out := at.Child("egress")
	to.ZoneEgress = r.rateOrFree(from.Egress.Zone, out.Child("zone"))
	to.RegionEgress = r.rateOrFree(from.Egress.Region, out.Child("region"))
	to.InternetEgress = r.rateOrFree(from.Egress.Internet, out.Child("internet"))
	return to
}

func (r *reader) nodes(l *price.List, all []costv1.NodePrice, at *field.Path) {
	gpu := price.OnPremises().Defaults.GPU
	if l.Defaults != nil {
		gpu = l.Defaults.GPU
	}
	seen := map[string]bool{}
	for i, n := range all {
		here := at.Index(i)
		m := price.Match{Name: n.Match.Name, ProviderID: n.Match.ProviderID, InstanceType: n.Match.InstanceType, Region: n.Match.Region, Provider: n.Match.Provider}
		if n.Match.Spot != nil {
			m.Spot = fmt.Sprint(*n.Match.Spot)
		}
		r.once(seen, fmt.Sprintf("%q", []string{m.Name, m.ProviderID, m.InstanceType, m.Region, m.Provider, m.Spot}), here.Child("match"))
		e := price.NodeEntry{Match: m}
		if n.Whole != nil {
			e.Hourly = r.timed(*n.Whole, here.Child("whole"))
		} else {
			e.Parts, e.CPU, e.RAM = true, r.timedOr(n.CPU, 0, here.Child("cpu")), r.timedOr(n.RAM, 0, here.Child("ram"))
			e.GPU = r.timedOr(n.GPU, gpu, here.Child("gpu"))
		}
		l.Nodes = append(l.Nodes, e)
	}
}

func (r *reader) volumes(l *price.List, all []costv1.VolumePrice, at *field.Path) {
	seen := map[string]bool{}
	for i, v := range all {
		here := at.Index(i)
		m := price.Match{Name: v.Match.Name, Class: v.Match.Class, Region: v.Match.Region}
		r.once(seen, fmt.Sprintf("%q", []string{m.Name, m.Class, m.Region}), here.Child("match"))
		l.Volumes = append(l.Volumes, price.VolumeEntry{Match: m, Storage: r.timed(v.Storage, here.Child("storage"))})
	}
}

// once refuses what an entry before matches too: its price would never count.
func (r *reader) once(seen map[string]bool, key string, at *field.Path) {
	if seen[key] {
		r.errs = append(r.errs, field.Invalid(at, nil, "an entry before this one is for the same: keep one of the two"))
	}
	seen[key] = true
}

// source adds what the text holds, behind what the object holds.
func (r *reader) source(l *price.List, s costv1.PriceSource, text string) {
	at := field.NewPath("spec", "source")
	parse, known := map[costv1.SourceFormat]func([]byte) (price.List, error){
		costv1.CSVFormat: price.ParseTable, costv1.CatalogueFormat: price.ParseCatalogue, costv1.CustomFormat: price.ParseCustom,
	}[s.Format]
	if !known {
		r.errs = append(r.errs, field.NotSupported(at.Child("format"), s.Format, []costv1.SourceFormat{costv1.CSVFormat, costv1.CatalogueFormat, costv1.CustomFormat}))
		return
	}
	more, err := parse([]byte(text))
	where := s.ConfigMap.Name + "/" + s.ConfigMap.Key
	for _, mistake := range lines(err) {
		r.errs = append(r.errs, field.Invalid(at.Child("configMap"), where, mistake))
	}
	if more.Currency != "" && more.Currency != l.Currency {
		r.errs = append(r.errs, field.Invalid(at.Child("configMap"), where, fmt.Sprintf("its prices are in %s, expected %s as spec.currency says", more.Currency, l.Currency)))
	}
	if l.Defaults == nil {
		l.Defaults = more.Defaults
	}
	l.Nodes, l.Volumes, l.GPUs = append(l.Nodes, more.Nodes...), append(l.Volumes, more.Volumes...), append(l.GPUs, more.GPUs...)
}

// shares are a spec's, as costs know them.
func shares(s costv1.Shares, at *field.Path) (cost.Shares, field.ErrorList) {
	var errs field.ErrorList
	to := cost.Shares{Namespaces: slices.Clone(s.Namespaces), Management: s.Management, Even: s.Split == costv1.SplitEven}
	for _, l := range s.Labels {
		to.Labels = append(to.Labels, [2]string{l.Name, l.Value})
	}
	for i, f := range s.Fixed {
		amount, err := money.ParseAmount(f.Monthly.Digits)
		if err != nil {
			errs = append(errs, field.Invalid(at.Child("fixed").Index(i).Child("monthly"), f.Monthly.Digits, said(err)))
		}
		to.Fixed = append(to.Fixed, cost.Fixed{Name: f.Name, Monthly: amount})
	}
	return to, errs
}

// lines are the mistakes that a text has, each of which has a line of its own.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	all := strings.Split(err.Error(), "\n")
	for i, line := range all {
		all[i] = strings.TrimPrefix(line, fleet.ErrInvalid.Error()+": ")
	}
	return all
}

// said is an error without its kind, which a refusal says already.
func said(err error) string { return strings.TrimPrefix(err.Error(), fleet.ErrInvalid.Error()+": ") }
