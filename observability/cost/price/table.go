package price

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
)

// columns are those of OpenCost's CSV provider. EndTimestamp and Version are not read.
var columns = []string{"EndTimestamp", "InstanceID", "Region", "AssetClass", "InstanceIDField", "InstanceType", "MarketPriceHourly", "Version"}

// ParseTable reads a table with the columns of OpenCost's CSV provider, in any order:
// EndTimestamp, InstanceID, Region, AssetClass, InstanceIDField, InstanceType, MarketPriceHourly,
// Version. AssetClass is node, pv or gpu; InstanceIDField says where InstanceID is found:
// metadata.name, spec.providerID, metadata.labels.<label>, spec.storageClassName, or for gpu the
// name of a label. A row without InstanceID is for an InstanceType. Nodes are priced whole,
// volumes for a GiB. The error is of kind fleet.ErrInvalid and says line and column.
func ParseTable(data []byte) (List, error) {
	l := List{Name: "table"}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return l, tableError(err)
	}
	where, err := heads(head)
	if err != nil {
		return l, err
	}
	var errs []error
	seen := map[string]int{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			errs = append(errs, tableError(err))
			break
		}
		row := tableRow{fields: fields, where: where, reader: r}
		if err := row.into(&l, seen); err != nil {
			errs = append(errs, err)
		}
	}
	return l, told(errs)
}

func heads(head []string) (map[string]int, error) {
	where := map[string]int{}
	for i, name := range head {
		where[strings.TrimSpace(name)] = i
	}
	for _, c := range columns {
		if _, ok := where[c]; !ok {
			return nil, place{1, 1}.wrong(c, "the column is missing: expected %s", strings.Join(columns, ","))
		}
	}
	return where, nil
}

func tableError(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return place{p.Line, max(p.Column, 1)}.wrong("table", "%v", p.Err)
	}
	if errors.Is(err, io.EOF) {
		return place{1, 1}.wrong("table", "expected the columns %s, found nothing", strings.Join(columns, ","))
	}
	return fmt.Errorf("%w: reading the table: %w", fleet.ErrInvalid, err)
}

type tableRow struct {
	fields []string
	where  map[string]int
	reader *csv.Reader
}

func (r tableRow) get(column string) string { return strings.TrimSpace(r.fields[r.where[column]]) }

func (r tableRow) wrong(column, format string, args ...any) error {
	line, col := r.reader.FieldPos(r.where[column])
	return place{line, col}.wrong(column, format, args...)
}

// once refuses what another line says already. Rows of different times do not say the same.
func (r tableRow) once(seen map[string]int) error {
	parts := make([]string, 0, len(columns))
	for _, c := range columns {
		if c != "MarketPriceHourly" && c != "Version" {
			parts = append(parts, r.get(c))
		}
	}
	key := strings.Join(parts, "\x00")
	line, _ := r.reader.FieldPos(0)
	if before, twice := seen[key]; twice {
		return r.wrong("InstanceID", "line %d prices the same: keep one of the two", before)
	}
	seen[key] = line
	return nil
}

func (r tableRow) into(l *List, seen map[string]int) error {
	if err := r.once(seen); err != nil {
		return err
	}
	rate, err := money.ParseRate(r.get("MarketPriceHourly"))
	if err != nil {
		return r.wrong("MarketPriceHourly", "%s", strings.TrimPrefix(err.Error(), fleet.ErrInvalid.Error()+": "))
	}
	id, field := r.get("InstanceID"), r.get("InstanceIDField")
	if id == "" && r.get("InstanceType") == "" {
		return r.wrong("InstanceID", "expected an InstanceID or an InstanceType")
	}
	m := Match{Region: r.get("Region"), InstanceType: r.get("InstanceType")}
	class := strings.ToLower(r.get("AssetClass"))
	if class == "gpu" {
		if id == "" || field == "" {
			return r.wrong("InstanceIDField", "expected the name of a label, and its value as InstanceID")
		}
		l.GPUs = append(l.GPUs, GPUEntry{Label: strings.TrimPrefix(field, "metadata.labels."), Value: id, GPU: rate})
		return nil
	}
	label, labelled := strings.CutPrefix(field, "metadata.labels.")
	switch {
	case id == "":
	case field == "metadata.name":
		m.Name = id
	case field == "spec.providerID":
		m.ProviderID = id
	case field == "spec.storageClassName" && class == "pv":
		m.Class = id
	case labelled && label != "" && class == "node":
		m.Labels = map[string]string{label: id}
	default:
		return r.wrong("InstanceIDField", "%q: expected metadata.name, spec.providerID, metadata.labels.<label>, or spec.storageClassName of a pv", field)
	}
	switch class {
	case "node":
		l.Nodes = append(l.Nodes, NodeEntry{Match: m, Hourly: rate})
	case "pv":
		// A volume has no instance type; what stands there is of no use to find it.
		m.InstanceType = ""
		if m.empty() {
			return r.wrong("InstanceID", "expected the name or the class of the volume")
		}
		l.Volumes = append(l.Volumes, VolumeEntry{Match: m, Storage: rate})
	default:
		return r.wrong("AssetClass", "%q: expected node, pv or gpu", r.get("AssetClass"))
	}
	return nil
}
