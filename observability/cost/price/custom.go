package price

import (
	"cmp"

	"portico.dev/portico/observability/cost/money"
)

// ParseCustom reads a list that somebody wrote by hand:
//
//	name: berlin
//	currency: EUR              # that of the other lists, where it is left out
//	per: hour                  # or month, of 730 hours: for all but egress and loadBalancerIngress
//	defaults:
//	  cpu: 0.02                # core
//	  ram: 0.003               # GiB
//	  gpu: 0.8
//	  storage: 0.00005         # GiB
//	  egress: {zone: 0, region: 0.01, internet: 0.08}   # GiB
//	  loadBalancer: 0.02
//	nodes:
//	- match: {instanceType: m5.large}
//	  hourly: 0.107            # the whole node
//	- match: {labels: {class: metal}}
//	  cpu: 0.01
//	  ram: 0.002
//	volumes:
//	- match: {class: fast}
//	  storage: 0.0002
//
// Of the defaults, only spotCPU, spotRAM, loadBalancerIngress and management may be missing. The
// error is of kind fleet.ErrInvalid and says line and column.
func ParseCustom(data []byte) (List, error) {
	doc, err := readYAML(data)
	if err != nil {
		return List{}, err
	}
	o := open(doc, "")
	l := List{Name: cmp.Or(o.word("name"), "custom"), Currency: o.word("currency")}
	per := func(r money.Rate) money.Rate { return r }
	if v, ok := o.take("per"); ok {
		switch v.text {
		case "hour":
		case "month":
			per = money.Rate.Monthly
		default:
			o.fail(v.at, "per", "%q: expected hour or month", v.text)
		}
	}
	if v, ok := o.take("defaults"); ok {
		d := open(v, "defaults")
		l.Defaults = defaults(d, per)
		o.errs = append(o.errs, d.close()...)
	} else {
		o.fail(o.at, "defaults", "expected the prices of what the list does not name")
	}
	o.each("nodes", func(e *object) { l.Nodes = append(l.Nodes, nodeEntry(e, per, l.Defaults)) })
	o.each("volumes", func(e *object) {
		l.Volumes = append(l.Volumes, VolumeEntry{Match: match(e, "name", "providerID", "class", "region"), Storage: per(e.rate("storage"))})
	})
	return l, told(o.close())
}

func defaults(d *object, per func(money.Rate) money.Rate) *Rates {
	r := Rates{CPU: per(d.rate("cpu")), RAM: per(d.rate("ram")), GPU: per(d.rate("gpu")), Storage: per(d.rate("storage"))}
	r.LoadBalancer = per(d.rate("loadBalancer"))
	r.LoadBalancerIngress = d.rateOr("loadBalancerIngress", 0)
	r.Management = per(d.rateOr("management", 0))
	r.SpotCPU, r.SpotRAM = r.CPU, r.RAM
	if v, ok := d.take("spotCPU"); ok {
		r.SpotCPU = per(d.rateOf(v, "spotCPU"))
	}
	if v, ok := d.take("spotRAM"); ok {
		r.SpotRAM = per(d.rateOf(v, "spotRAM"))
	}
	if v, ok := d.take("egress"); ok {
		e := open(v, "defaults.egress")
		r.ZoneEgress, r.RegionEgress, r.InternetEgress = e.rate("zone"), e.rate("region"), e.rate("internet")
		d.errs = append(d.errs, e.close()...)
	} else {
		d.fail(d.at, "defaults.egress", "expected the prices zone, region and internet")
	}
	return &r
}

func nodeEntry(e *object, per func(money.Rate) money.Rate, otherwise *Rates) NodeEntry {
	n := NodeEntry{Match: match(e, "name", "providerID", "instanceType", "region", "provider")}
	if v, ok := e.take("hourly"); ok {
		n.Hourly = e.rateOf(v, "hourly")
		return n
	}
	if v, ok := e.take("monthly"); ok {
		n.Hourly = e.rateOf(v, "monthly").Monthly()
		return n
	}
	n.Parts = true
	n.CPU, n.RAM = per(e.rate("cpu")), per(e.rate("ram"))
	if otherwise != nil {
		n.GPU = otherwise.GPU
	}
	if v, ok := e.take("gpu"); ok {
		n.GPU = per(e.rateOf(v, "gpu"))
	}
	return n
}

// match reads what an entry is for, of which only some fields make sense.
func match(e *object, fields ...string) Match {
	v, ok := e.take("match")
	if !ok {
		e.fail(e.at, e.path("match"), "expected what the price is for")
		return Match{}
	}
	o := open(v, e.path("match"))
	var m Match
	into := map[string]*string{
		"name": &m.Name, "providerID": &m.ProviderID, "instanceType": &m.InstanceType,
		"region": &m.Region, "provider": &m.Provider, "class": &m.Class,
	}
	for _, f := range fields {
		*into[f] = o.word(f)
	}
	if spot, ok := o.take("spot"); ok {
		m.Spot = spot.text
		if spot.text != "true" && spot.text != "false" {
			o.fail(spot.at, o.path("spot"), "expected true or false")
		}
	}
	if labels, ok := o.take("labels"); ok {
		l := open(labels, o.path("labels"))
		m.Labels = map[string]string{}
		for _, k := range l.keys {
			m.Labels[k.text] = l.word(k.text)
		}
		o.errs = append(o.errs, l.close()...)
	}
	if m.empty() {
		o.fail(v.at, e.path("match"), "expected at least one field: what is for all belongs to the defaults")
	}
	e.errs = append(e.errs, o.close()...)
	return m
}
