package dashboard

import (
	"encoding/json"
	"fmt"
)

// Dashboard is what a person looks at for one question.
type Dashboard struct {
	// UID is its name in addresses, and of its file.
	UID, Title, Description string
	Variables               []Variable
	Rows                    []Row
}

// Variable is a choice at the head of a dashboard. A choice of all is always there.
type Variable struct {
	Name, Label string
	// Query is Grafana's: label_values(series, label).
	Query string
}

// Row is panels under one heading.
type Row struct {
	Title  string
	Panels []Panel
}

// Kinds of panels.
const (
	number = "stat"
	lines  = "timeseries"
	table  = "table"
	bars   = "bargauge"
)

// Panel is one picture.
type Panel struct {
	Title, Description string
	// Kind is stat, timeseries, table or bargauge.
	Kind string
	// Unit is Grafana's name of a unit: short, percentunit, bytes, Bps, s, dateTimeAsIso.
	Unit    string
	Queries []Query
	// Stack says that lines are parts of a whole.
	Stack bool
	// Warn and Bad colour a number or a bar from there on; both zero colour nothing.
	Warn, Bad float64
}

// Query is one question of a panel.
type Query struct {
	Expr string
	// Legend names a line, with labels as {{label}}.
	Legend string
}

// width and height of a panel in Grafana's grid of 24 columns.
func (p Panel) size() (width, height int) {
	switch p.Kind {
	case number:
		return 4, 4
	case table:
		return 24, 9
	}
	return 12, 8
}

const source = "${datasource}"

// JSON is the dashboard as Grafana imports it. The same dashboard is always the same bytes.
func (d Dashboard) JSON() ([]byte, error) {
	out, err := json.MarshalIndent(map[string]any{
		"uid": d.UID, "title": d.Title, "description": d.Description, "tags": []string{"portico"},
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
		"time":       map[string]any{"from": "now-3h", "to": "now"},
		"templating": map[string]any{"list": d.variables()},
		"panels":     d.panels(),
		"links":      []any{map[string]any{"type": "dashboards", "tags": []string{"portico"}, "title": "Portico", "asDropdown": true, "includeVars": true, "keepTime": true}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing dashboard %s: %w", d.UID, err)
	}
	return append(out, '\n'), nil
}

func reference() map[string]any { return map[string]any{"type": "prometheus", "uid": source} }

func (d Dashboard) variables() []any {
	out := []any{map[string]any{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": map[string]any{}}}
	for _, v := range d.Variables {
		out = append(out, map[string]any{
			"name": v.Name, "label": v.Label, "type": "query", "datasource": reference(), "refresh": 2, "sort": 1,
			"query":      map[string]any{"query": v.Query, "refId": v.Name},
			"definition": v.Query, "multi": true, "includeAll": true, "allValue": ".*",
			"current": map[string]any{"text": "All", "value": []string{"$__all"}},
		})
	}
	return out
}

// panels lays the rows out from left to right, and from top to bottom.
func (d Dashboard) panels() []any {
	var out []any
	id, y := 0, 0
	for _, row := range d.Rows {
		id++
		out = append(out, map[string]any{"id": id, "type": "row", "title": row.Title, "collapsed": false, "panels": []any{}, "gridPos": grid(0, y, 24, 1)})
		y++
		x, tallest := 0, 0
		for _, p := range row.Panels {
			id++
			w, h := p.size()
			if x+w > 24 {
				x, y, tallest = 0, y+tallest, 0
			}
			out = append(out, p.json(id, grid(x, y, w, h)))
			x, tallest = x+w, max(tallest, h)
		}
		y += tallest
	}
	return out
}

func grid(x, y, w, h int) map[string]int { return map[string]int{"x": x, "y": y, "w": w, "h": h} }

func (p Panel) json(id int, at map[string]int) map[string]any {
	out := map[string]any{
		"id": id, "type": p.Kind, "title": p.Title, "description": p.Description, "datasource": reference(), "gridPos": at,
		"targets":     p.targets(),
		"fieldConfig": map[string]any{"defaults": p.defaults(), "overrides": []any{}},
	}
	switch p.Kind {
	case number:
		out["options"] = map[string]any{"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}}, "colorMode": "value", "graphMode": "area"}
	case bars:
		out["options"] = map[string]any{"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}}, "orientation": "horizontal", "displayMode": "gradient"}
	case lines:
		out["options"] = map[string]any{"legend": map[string]any{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}}, "tooltip": map[string]any{"mode": "multi", "sort": "desc"}}
	case table:
		out["transformations"] = []any{map[string]any{"id": "merge", "options": map[string]any{}}, map[string]any{"id": "organize", "options": map[string]any{"excludeByName": map[string]bool{"Time": true, "__name__": true}}}}
	}
	return out
}

func (p Panel) targets() []any {
	var out []any
	for i, q := range p.Queries {
		t := map[string]any{"refId": string(rune('A' + i)), "datasource": reference(), "expr": q.Expr, "legendFormat": q.Legend}
		if p.Kind != lines {
			t["instant"], t["range"] = true, false
		}
		if p.Kind == table {
			t["format"] = "table"
		}
		out = append(out, t)
	}
	return out
}

func (p Panel) defaults() map[string]any {
	steps := []any{map[string]any{"color": "green", "value": nil}}
	if p.Warn != 0 || p.Bad != 0 {
		steps = append(steps, map[string]any{"color": "orange", "value": p.Warn}, map[string]any{"color": "red", "value": p.Bad})
	}
	out := map[string]any{"unit": p.Unit, "thresholds": map[string]any{"mode": "absolute", "steps": steps}}
	if p.Kind == lines {
		custom := map[string]any{"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
		if p.Stack {
			custom["stacking"], custom["fillOpacity"] = map[string]any{"mode": "normal"}, 40
		}
		out["custom"] = custom
	}
	return out
}
