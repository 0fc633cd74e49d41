package price

import (
	"cmp"
)

// ParseCatalogue reads the machines of a provider, as a program can write them from the
// provider's published prices:
//
//	{
//	  "provider": "aws", "region": "eu-west-1", "currency": "USD",
//	  "instances": [
//	    {"type": "m5.large", "hourly": 0.107},
//	    {"type": "m5.large", "spot": true, "hourly": 0.041}
//	  ],
//	  "volumes": [{"class": "gp3", "monthly": 0.088}]
//	}
//
// Prices of instances are for the whole machine and an hour; those of volumes for a GiB, hourly
// or monthly (730 hours). Other fields, such as the size of a machine, are refused: they would
// seem to count. A catalogue has no defaults: a Book needs another list for what it does not
// name. The error is of kind fleet.ErrInvalid and says line and column.
func ParseCatalogue(data []byte) (List, error) {
	doc, err := readJSON(data)
	if err != nil {
		return List{}, err
	}
	o := open(doc, "")
	provider, region := o.word("provider"), o.word("region")
	if provider == "" {
		o.fail(o.at, "provider", "expected the provider's name")
	}
	l := List{Name: cmp.Or(o.word("name"), provider+" catalogue"), Currency: o.word("currency")}
	o.each("instances", func(e *object) {
		m := Match{InstanceType: e.word("type"), Region: cmp.Or(e.word("region"), region), Spot: "false"}
		if m.InstanceType == "" {
			e.fail(e.at, e.path("type"), "expected the type of the machine")
		}
		if v, ok := e.take("spot"); ok {
			m.Spot = v.text
			if v.text != "true" && v.text != "false" {
				e.fail(v.at, e.path("spot"), "expected true or false")
			}
		}
		l.Nodes = append(l.Nodes, NodeEntry{Match: m, Hourly: e.rate("hourly")})
	})
	o.each("volumes", func(e *object) {
		m := Match{Class: e.word("class"), Region: cmp.Or(e.word("region"), region)}
		if m.Class == "" {
			e.fail(e.at, e.path("class"), "expected the storage class")
		}
		entry := VolumeEntry{Match: m}
		if v, ok := e.take("monthly"); ok {
			entry.Storage = e.rateOf(v, "monthly").Monthly()
		} else {
			entry.Storage = e.rate("hourly")
		}
		l.Volumes = append(l.Volumes, entry)
	})
	return l, told(o.close())
}
