package price_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
)

const custom = `name: berlin
currency: EUR
defaults:
  cpu: 0.02
  ram: "0.003"
  gpu: 0.8
  storage: 0.00005
  egress: {zone: 0, region: 0.01, internet: 0.08}
  loadBalancer: 0.02
nodes:
- match: {instanceType: m5.large, region: eu}
  hourly: 0.107
- match: {labels: {class: metal}}
  cpu: 0.01
  ram: 0.002
- match: {spot: true}
  monthly: 7.3
volumes:
- match: {class: fast}
  storage: 0.0002
`

const table = `EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version
2028-01-06 23:34:45 UTC,worker-1,,node,metadata.name,,0.1337,
2028-01-06 23:34:45 UTC,Reserved,,node,metadata.labels.usage,,0.65,
2028-01-06 23:34:45 UTC,,eu,node,,m5.large,0.2,
2028-01-06 23:34:45 UTC,slow,,pv,spec.storageClassName,,0.1338,
2028-01-06 23:34:45 UTC,a100,,gpu,nvidia.com/gpu_type,,0.75,
`

const catalogue = `{
  "provider": "aws", "region": "eu", "currency": "USD",
  "instances": [
    {"type": "m5.large", "hourly": 0.107},
    {"type": "m5.large", "spot": true, "hourly": "0.041"}
  ],
  "volumes": [{"class": "gp3", "monthly": 0.073}]
}
`

func parsed(t *testing.T, parse func([]byte) (price.List, error), text string) price.List {
	t.Helper()
	l, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestBook(t *testing.T) {
	lists := []price.List{parsed(t, price.ParseTable, table), parsed(t, price.ParseCatalogue, catalogue), parsed(t, price.ParseCustom, custom)}
	book := price.Book{Lists: lists}
	const euros = money.Rate(1e12)
	for _, c := range []struct {
		why  string
		of   price.Machine
		want price.Quote
	}{
		{"The first list that names it wins, by name.", price.Machine{Name: "worker-1"}, price.Quote{Whole: true, Hourly: 1337 * euros / 10000, From: "table"}},
		{"A label's value.", price.Machine{Labels: map[string]string{"usage": "Reserved"}}, price.Quote{Whole: true, Hourly: 65 * euros / 100, From: "table"}},
		{"Type and region, whatever their case.", price.Machine{InstanceType: "M5.Large", Region: "EU"}, price.Quote{Whole: true, Hourly: 2 * euros / 10, From: "table"}},
		{"No list has it for that region.", price.Machine{InstanceType: "m5.large", Region: "us"}, price.Quote{From: "berlin", Default: true}},
		{"Prices for parts, with the default for GPUs.", price.Machine{Labels: map[string]string{"class": "metal"}}, price.Quote{CPU: euros / 100, RAM: 2 * euros / 1000, From: "berlin"}},
		{"A spot machine of another type: 7.3 a month is 0.01 an hour.", price.Machine{Spot: true}, price.Quote{Whole: true, Hourly: euros / 100, From: "berlin"}},
		{"GPUs beside the price of the node.", price.Machine{Name: "worker-1", Labels: map[string]string{"nvidia.com/gpu_type": "a100"}}, price.Quote{Whole: true, Hourly: 1337 * euros / 10000, Extra: 75 * euros / 100, From: "table"}},
	} {
		got := book.Node(c.of)
		if c.want.CPU == 0 {
			c.want.CPU, c.want.RAM = 2*euros/100, 3*euros/1000
		}
		c.want.GPU = 8 * euros / 10
		if c.of.Spot {
			c.want.CPU, c.want.RAM = 2*euros/100, 3*euros/1000
		}
		if got != c.want {
			t.Errorf("%s\ngot  %+v\nwant %+v", c.why, got, c.want)
		}
	}
	for class, want := range map[string]string{"slow": "0.1338 table", "gp3": "0.0001 aws catalogue", "fast": "0.0002 berlin", "other": "5e-05 berlin"} {
		rate, from, _ := book.Volume(price.Disk{Class: class, Region: "eu"})
		if got := fmt.Sprint(rate.Float(), " ", from); got != want {
			t.Errorf("volume %s: got %s, want %s", class, got, want)
		}
	}
	if err := book.Check(); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "EUR") {
		t.Errorf("dollars and euros are added up: %v", err)
	}
	for _, b := range []price.Book{{}, {Lists: lists[:2]}, {Lists: lists[2:]}} {
		if err := b.Check(); err != nil {
			t.Errorf("one currency is refused: %v", err)
		}
	}
	if book.Currency() != "USD" || (price.Book{}).Currency() != "USD" {
		t.Errorf("the currency is %s", book.Currency())
	}
	if q := (price.Book{}).Node(price.Machine{}); q.From != "on-premises" || !q.Default || q.CPU.Float() != 0.031611 {
		t.Errorf("without lists a node costs %+v", q)
	}
}

// Every hole and every negative number is told with the place where it stands.
func TestRefused(t *testing.T) {
	edit := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not there", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	for _, c := range []struct {
		parse func([]byte) (price.List, error)
		text  string
		want  string
	}{
		{price.ParseCustom, edit(custom, "cpu: 0.02", "cpu: -0.02"), `line 4, column 8: defaults.cpu: "-0.02": expected a number that is not negative`},
		{price.ParseCustom, edit(custom, "  gpu: 0.8\n", ""), "line 4, column 3: defaults.gpu: expected a price"},
		{price.ParseCustom, edit(custom, "gpu: 0.8", "gpu:"), "line 6, column 7: defaults.gpu: \"\": expected a price"},
		{price.ParseCustom, edit(custom, "region: 0.01, ", ""), "line 8, column 11: defaults.egress.region: expected a price"},
		{price.ParseCustom, edit(custom, "  ram: 0.002\n", ""), "line 13, column 3: nodes[1].ram: expected a price"},
		{price.ParseCustom, edit(custom, "hourly: 0.107", "hourly: .nan"), "line 12, column 11: nodes[0].hourly"},
		{price.ParseCustom, edit(custom, "{class: fast}", "{}"), "line 19, column 10: volumes[0].match: expected at least one field"},
		{price.ParseCustom, edit(custom, "currency: EUR", "curency: EUR"), "line 2, column 1: curency: no such field"},
		{price.ParseCustom, edit(custom, "name: berlin", "name: &a berlin\nper: *a"), "aliases are not read"},
		{price.ParseCustom, edit(custom, "name: berlin", "name: berlin\nname: berlin"), "line 2"},
		{price.ParseCustom, "- 1", "line 1, column 1: "},
		{price.ParseCustom, "", "line 1, column 1: list: expected a mapping"},
		{price.ParseCustom, "a: [", "line 1"},
		{price.ParseTable, edit(table, "0.1337", "-0.1337"), "line 2, column 55: MarketPriceHourly"},
		{price.ParseTable, edit(table, "0.1337", ""), "line 2, column 55: MarketPriceHourly: \"\": expected a price"},
		{price.ParseTable, edit(table, ",Version", ""), "line 1, column 1: Version: the column is missing"},
		{price.ParseTable, edit(table, "worker-1,,node", ",,node"), "line 2, column 25: InstanceID: expected an InstanceID or an InstanceType"},
		{price.ParseTable, edit(table, "metadata.name", "spec.name"), "line 2, column 40: InstanceIDField"},
		{price.ParseTable, edit(table, ",pv,", ",disk,"), "line 5"},
		{price.ParseTable, edit(table, "worker-1,,", "worker-1,"), "line 2"},
		{price.ParseTable, "", "line 1, column 1: table"},
		{price.ParseCatalogue, edit(catalogue, "0.107", "-0.107"), `line 4, column 36: instances[0].hourly: "-0.107"`},
		{price.ParseCatalogue, edit(catalogue, `, "hourly": 0.107`, ""), "line 4, column 5: instances[0].hourly: expected a price"},
		{price.ParseCatalogue, edit(catalogue, `"provider": "aws", `, ""), "provider"},
		{price.ParseCatalogue, edit(catalogue, `"spot": true`, `"spot": 1`), "line 5, column 34: instances[1].spot"},
		{price.ParseCatalogue, edit(catalogue, `"hourly": 0.107`, `"hourly": 0.107, "vcpu": 2`), "line 4, column 43: instances[0].vcpu: no such field"},
		{price.ParseCatalogue, catalogue + "{}", "expected one value"},
		{price.ParseCatalogue, `{"a":`, "line 1"},
		{price.ParseCatalogue, strings.Repeat("[", 100), "deep"},
	} {
		_, err := c.parse([]byte(c.text))
		if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s in\n%s", err, c.want, c.text)
		}
	}
}

// sound is what must hold of every list that was read.
func sound(t *testing.T, l price.List, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, fleet.ErrInvalid) {
			t.Fatalf("%v is no error of kind invalid", err)
		}
		return
	}
	rates := []money.Rate{}
	for _, n := range l.Nodes {
		rates = append(rates, n.Hourly, n.CPU, n.RAM, n.GPU)
	}
	for _, v := range l.Volumes {
		rates = append(rates, v.Storage)
	}
	if d := l.Defaults; d != nil {
		rates = append(rates, d.CPU, d.RAM, d.GPU, d.Storage, d.LoadBalancer, d.Management, d.ZoneEgress)
	}
	for _, r := range rates {
		if r < 0 {
			t.Fatalf("a negative price was read: %+v", l)
		}
	}
	price.Book{Lists: []price.List{l}}.Node(price.Machine{Name: "a", Labels: map[string]string{"b": "c"}})
}

func FuzzCustom(f *testing.F) {
	f.Add([]byte(custom))
	f.Add([]byte("defaults: {cpu: -1}\nnodes: [[]]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := price.ParseCustom(data)
		sound(t, l, err)
	})
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(table))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := price.ParseTable(data)
		sound(t, l, err)
	})
}

func FuzzCatalogue(f *testing.F) {
	f.Add([]byte(catalogue))
	f.Add([]byte(`{"provider": {"a": [1, null, true]}, "instances": {}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := price.ParseCatalogue(data)
		sound(t, l, err)
	})
}

// A list counts where it is for, and what is not known of a place matches no wish.
func TestPlaces(t *testing.T) {
	list := func(name string, cpu money.Rate, of price.Scope) price.List {
		return price.List{Name: name, Currency: "EUR", For: of, Defaults: &price.Rates{CPU: cpu}}
	}
	book := price.Book{Lists: []price.List{
		list("one cluster", 1, price.Scope{Cluster: "c", Home: "team"}), list("aws in eu", 2, price.Scope{Provider: "aws", Region: "eu"}),
		list("team", 3, price.Scope{Home: "team"}), list("all", 4, price.Scope{}),
	}}
	for _, c := range []struct {
		why  string
		at   price.Place
		want string
	}{
		{"The cluster that is named.", price.Place{Cluster: "c", Home: "team", Provider: "aws", Region: "eu"}, "one cluster"},
		{"Another one of its name.", price.Place{Cluster: "c", Home: "other"}, "all"},
		{"Provider and region, whatever their case.", price.Place{Cluster: "d", Home: "team", Provider: "AWS", Region: "EU"}, "aws in eu"},
		{"A region of nobody knows which provider.", price.Place{Region: "eu"}, "all"},
		{"All of a namespace.", price.Place{Cluster: "d", Home: "team"}, "team"},
		{"Nothing is known.", price.Place{}, "all"},
	} {
		if _, got := book.At(c.at).Defaults(); got != c.want {
			t.Errorf("%s got %q, want %q", c.why, got, c.want)
		}
	}
	if err := book.Check(); err != nil {
		t.Error(err)
	}
	// Elsewhere the dollars of one's own machines would be added to euros.
	if err := (price.Book{Lists: book.Lists[:3]}).Check(); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("lists for some places in euros are added to dollars: %v", err)
	}
}

// A row that says again what a row before it says is a slip: one of the two prices would be lost.
func TestTableTwice(t *testing.T) {
	const row = ",n,,node,metadata.name,,0.1,\n"
	_, err := price.ParseTable([]byte(strings.SplitAfter(table, "\n")[0] + row + ",m,,node,metadata.name,,0.1,\n" + row))
	if err == nil || !strings.Contains(err.Error(), "line 4") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want an error of line 4 that names line 2", err)
	}
	// Prices of other times stand in OpenCost's table, of which the first counts.
	if _, err := price.ParseTable([]byte(strings.SplitAfter(table, "\n")[0] + row + "2028-01-06 23:34:45 UTC" + row)); err != nil {
		t.Error(err)
	}
}
