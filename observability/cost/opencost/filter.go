package opencost

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
)

// condition is one comparison of a property.
type condition struct {
	of     func(*cost.Properties) string
	op     string
	values []string
}

func (c condition) holds(p *cost.Properties) bool {
	got := c.of(p)
	any := slices.ContainsFunc(c.values, func(want string) bool {
		switch c.op {
		case "~:", "!~:":
			return strings.Contains(got, want)
		case "<~:", "!<~:":
			return strings.HasPrefix(got, want)
		case "~>:", "!~>:":
			return strings.HasSuffix(got, want)
		}
		return got == want
	})
	return any != strings.HasPrefix(c.op, "!")
}

// term is one condition of a filter: a field, an operator, and values in quotes.
var term = regexp.MustCompile(`^\s*([A-Za-z]+)(?:\[([^\]]+)\])?\s*(!?(?:<~|~>|~)?:)\s*("[^"]*"(?:\s*,\s*"[^"]*")*)\s*`)

var quoted = regexp.MustCompile(`"([^"]*)"`)

// filters reads OpenCost's filter, and the older parameters of a filter each.
func (q query) filters() (func(*cost.Properties) bool, error) {
	conditions, err := parseFilter(q.text("filter"))
	if err != nil {
		return nil, err
	}
	for _, old := range []struct{ parameter, field string }{
		{"filterClusters", "cluster"}, {"filterNamespaces", "namespace"}, {"filterNodes", "node"}, {"filterPods", "pod"},
		{"filterControllers", "controllerName"}, {"filterControllerKinds", "controllerKind"},
	} {
		if values := q.list(old.parameter); len(values) > 0 {
			of, _ := field(old.field, "")
			conditions = append(conditions, condition{of, ":", values})
		}
	}
	for _, pair := range q.list("filterLabels") {
		name, value, ok := strings.Cut(pair, ":")
		of, known := field("label", name)
		if !ok || !known {
			return nil, fmt.Errorf("%w: filterLabels: %q: expected <name>:<value>", fleet.ErrInvalid, pair)
		}
		conditions = append(conditions, condition{of, ":", []string{value}})
	}
	if len(conditions) == 0 {
		return nil, nil
	}
	return func(p *cost.Properties) bool {
		return !slices.ContainsFunc(conditions, func(c condition) bool { return !c.holds(p) })
	}, nil
}

// parseFilter reads conditions that all have to hold:
//
//	namespace:"shop","web"+cluster!:"test"+label[app]<~:"front"
func parseFilter(text string) ([]condition, error) {
	var all []condition
	for rest := text; rest != ""; {
		m := term.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf(`%w: filter: %.60q: expected conditions such as namespace:"shop"+cluster!:"test"; parentheses and | are not read`, fleet.ErrInvalid, rest)
		}
		of, ok := field(m[1], m[2])
		if !ok {
			return nil, fmt.Errorf("%w: filter: %q: expected cluster, node, namespace, pod, controllerName, controllerKind, tenant, services or label[<name>]", fleet.ErrInvalid, m[1])
		}
		c := condition{of: of, op: m[3]}
		for _, v := range quoted.FindAllStringSubmatch(m[4], -1) {
			c.values = append(c.values, v[1])
		}
		all = append(all, c)
		rest = rest[len(m[0]):]
		if rest == "" {
			break
		}
		next, found := strings.CutPrefix(rest, "+")
		if !found || strings.TrimSpace(next) == "" {
			return nil, fmt.Errorf("%w: filter: %.60q: expected + and another condition", fleet.ErrInvalid, rest)
		}
		rest = next
	}
	return all, nil
}

func field(name, argument string) (func(*cost.Properties) string, bool) {
	if name == "label" {
		plain := cost.LabelName(argument)
		return func(p *cost.Properties) string {
			if v, ok := p.Labels[argument]; ok {
				return v
			}
			return p.Labels[plain]
		}, argument != ""
	}
	of, ok := map[string]func(*cost.Properties) string{
		"cluster":        func(p *cost.Properties) string { return p.Cluster },
		"node":           func(p *cost.Properties) string { return p.Node },
		"namespace":      func(p *cost.Properties) string { return p.Namespace },
		"pod":            func(p *cost.Properties) string { return p.Pod },
		"controllerName": func(p *cost.Properties) string { return p.Controller },
		"controllerKind": func(p *cost.Properties) string { return strings.ToLower(p.Kind) },
		"tenant":         func(p *cost.Properties) string { return string(p.Tenant) },
		"services":       func(p *cost.Properties) string { return strings.Join(p.Services, ",") },
	}[name]
	return of, ok && argument == ""
}
