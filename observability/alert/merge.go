package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Rules are the rules that are evaluated.
type Rules struct {
	// Alerts are groups of alerting rules: those of every cluster, then those of one.
	Alerts []Group
	// Records are groups of recording rules of every region.
	Records []Group
	// RecordsOf are groups that a cluster has instead of those with the same name, and its own.
	RecordsOf map[string][]Group
	// Own are the rules that clusters have instead of those of every cluster, or beside them, sorted by
	// cluster, group and name.
	Own []Own
	// Problems are rules that are not used, or not as they are written. Notes are rules that are
	// used and lose the cluster or the tenant: whoever sees one tenant alone does not see their alerts.
	Problems, Notes []Problem
}

// Merge puts all rules together: Portico's own, those of PrometheusRules, the patches for every
// cluster, and the patches for one cluster. A part that cannot be used is told of, and changes nothing.
func Merge(from Sources) Rules {
	m := &merge{alerts: map[string][]written{}, records: map[string][]written{}, intervals: map[string]string{}, own: map[ownKey][]written{}}
	m.out.RecordsOf = map[string][]Group{}
	m.groups(from.Defaults, place{object: "Portico's rules"})
	rules := slices.Clone(from.PrometheusRules)
	slices.SortFunc(rules, func(a, b unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	for _, o := range rules {
		m.prometheusRule(o)
	}
	for _, c := range labelled(from.ConfigMaps, AlertRulesLabel) {
		patches, problems := readPatches(&c)
		m.out.Problems = append(m.out.Problems, problems...)
		for _, p := range patches {
			m.patch(p, c.Labels[AlertRulesLabel])
		}
	}
	m.recordsOf(labelled(from.ConfigMaps, RecordRulesLabel))
	m.finish()
	return m.out
}

// Own is the version of a rule that a cluster has.
type Own struct {
	Cluster string `json:"cluster"`
	Group   string `json:"group"`
	Rule    string `json:"rule"`
	// Object is where it is written.
	Object string `json:"object"`
}

// ownKey names the version of a rule that a cluster has.
type ownKey struct{ cluster, group, name string }

type merge struct {
	out             Rules
	alerts, records map[string][]written
	intervals       map[string]string
	own             map[ownKey][]written
}

func (m *merge) refuse(at place, rule string, why Problem) {
	m.out.Problems = append(m.out.Problems, at.problem(rule, why))
}

// usable says whether the rule can be used, and tells of it if not.
func (m *merge) usable(w written) bool {
	why, bad := w.problem()
	if bad {
		m.refuse(w.at, w.Name(), why)
	}
	return !bad
}

// prometheusRule adds the rules of an object. What has the group and name of a rule of Portico's
// own takes its place.
func (m *merge) prometheusRule(o unstructured.Unstructured) {
	groups, problems := readPrometheusRule(o)
	m.out.Problems = append(m.out.Problems, problems...)
	at := place{object: "PrometheusRule " + o.GetNamespace() + "/" + o.GetName()}
	for _, g := range groups {
		at.key = g.Name
		if why := g.problem(); why != "" {
			m.refuse(at, "", Problem{Message: why + ": the usual one is taken"})
			g.Interval = ""
		}
		for _, r := range g.Rules {
			if !m.usable(written{Rule: r, at: at}) {
				continue
			}
			m.alerts[g.Name] = slices.DeleteFunc(m.alerts[g.Name], func(w written) bool { return w.at.object == "Portico's rules" && w.Alert == r.Alert })
			m.add(g, written{Rule: r, at: at, fleet: ofFleet(o.GetAnnotations())})
		}
	}
}

func (m *merge) groups(groups []Group, at place) {
	for _, g := range groups {
		at.key = g.Name
		for _, r := range g.Rules {
			if w := (written{Rule: r, at: at}); m.usable(w) {
				m.add(g, w)
			}
		}
	}
}

func (m *merge) add(g Group, w written) {
	into := m.alerts
	if w.Record != "" {
		into = m.records
	}
	into[g.Name] = append(into[g.Name], w)
	if g.Interval != "" {
		m.intervals[g.Name] = g.Interval
	}
}

// patch changes the rules of that name, or adds one.
func (m *merge) patch(p namedPatch, cluster string) {
	key := ownKey{cluster, p.group, p.name}
	var was []written
	if cluster != "" {
		was = m.own[key]
	}
	if len(was) == 0 {
		was = named(m.alerts[p.group], p.name)
	}
	if len(was) > 1 && p.Expr != nil {
		m.refuse(p.at, p.name, Problem{Message: fmt.Sprintf("the group has %d rules of this name: leave expr out, or give the rule another name", len(was))})
		return
	}
	if len(was) == 0 {
		was = []written{{Rule: Rule{Alert: p.name}}}
	}
	became := make([]written, len(was))
	for i, w := range was {
		became[i] = written{Rule: p.on(w.Rule), at: p.at, fleet: p.fleet || w.fleet}
		if !m.usable(became[i]) || cluster != "" && !m.narrow(&became[i], w, cluster) {
			return
		}
	}
	if cluster != "" {
		m.own[key] = became
		return
	}
	rest := slices.DeleteFunc(m.alerts[p.group], func(w written) bool { return w.Alert == p.name })
	m.alerts[p.group] = append(rest, became...)
}

// narrow has a rule speak of the cluster that it is for alone. The rule that it stands in for must be able
// to leave the cluster out.
func (m *merge) narrow(w *written, instead written, cluster string) bool {
	if instead.Expr != "" && !selects(instead.Expr) {
		m.refuse(w.at, w.Name(), Problem{Message: "the rule for every cluster selects no series, so no cluster can have its own: change it for every cluster"})
		return false
	}
	expr, err := Narrow(w.Expr, cluster)
	if err != nil {
		m.refuse(w.at, w.Name(), Problem{Message: sentence(err)})
		return false
	}
	w.Expr = expr
	return true
}

func named(rules []written, name string) []written {
	var out []written
	for _, w := range rules {
		if w.Alert == name {
			out = append(out, w)
		}
	}
	return out
}

// recordsOf reads ConfigMaps of recording rules, those for every cluster first. Of two that hold
// a group for the same cluster, the later one counts.
func (m *merge) recordsOf(maps []corev1.ConfigMap) {
	for _, c := range maps {
		groups, problems := readRecords(&c)
		m.out.Problems = append(m.out.Problems, problems...)
		cluster := c.Labels[RecordRulesLabel]
		for _, g := range groups {
			at := place{objectName(&c), g.Name}
			var usable []written
			for _, r := range g.Rules {
				if why, bad := r.recordProblem(); bad {
					m.refuse(at, r.Name(), why)
					continue
				}
				usable = append(usable, written{Rule: r, at: at, fleet: ofFleet(c.Annotations)})
			}
			m.recordGroup(g.Name, cluster, usable)
		}
	}
}

func (m *merge) recordGroup(name, cluster string, rules []written) {
	if cluster == "" {
		m.records[name] = rules
		return
	}
	group := m.group(name, rules)
	rest := slices.DeleteFunc(m.out.RecordsOf[cluster], func(g Group) bool { return g.Name == name })
	m.out.RecordsOf[cluster] = append(rest, group)
}

// finish writes the groups out: rules for every cluster without the clusters that have their own.
func (m *merge) finish() {
	without := map[ownKey][]string{}
	ofCluster := map[ownKey][]written{}
	for key, rules := range m.own {
		without[ownKey{"", key.group, key.name}] = append(without[ownKey{"", key.group, key.name}], key.cluster)
		group := ownKey{cluster: key.cluster, group: key.group}
		ofCluster[group] = append(ofCluster[group], rules...)
		m.out.Own = append(m.out.Own, Own{key.cluster, key.group, key.name, rules[0].at.object})
	}
	for name, rules := range m.alerts {
		for i, w := range rules {
			expr, err := Exclude(w.Expr, without[ownKey{"", name, w.Alert}])
			if err != nil { // patches of such rules were refused
				m.refuse(w.at, w.Name(), Problem{Message: sentence(err)})
				continue
			}
			rules[i].Expr = expr
		}
		m.out.Alerts = append(m.out.Alerts, m.alertGroup(name, rules))
	}
	for key, rules := range ofCluster {
		g := m.alertGroup(key.group, rules)
		g.Cluster = key.cluster
		m.out.Alerts = append(m.out.Alerts, g)
	}
	for name, rules := range m.records {
		m.out.Records = append(m.out.Records, m.group(name, rules))
	}
	m.sort()
}

func (m *merge) sort() {
	byName := func(a, b Group) int { return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Name, b.Name)) }
	full := func(groups []Group) []Group {
		groups = slices.DeleteFunc(groups, func(g Group) bool { return len(g.Rules) == 0 })
		slices.SortFunc(groups, byName)
		return groups
	}
	m.out.Alerts, m.out.Records = full(m.out.Alerts), full(m.out.Records)
	for cluster, groups := range m.out.RecordsOf {
		slices.SortFunc(groups, byName)
		m.out.RecordsOf[cluster] = groups
	}
	slices.SortFunc(m.out.Own, func(a, b Own) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Rule, b.Rule))
	})
	slices.SortStableFunc(m.out.Notes, func(a, b Problem) int { return strings.Compare(a.String(), b.String()) })
	m.out.Notes = slices.Compact(m.out.Notes)
}

// alertGroup sorts its rules by name, and labels them with the group.
func (m *merge) alertGroup(name string, rules []written) Group {
	g := m.group(name, rules)
	slices.SortStableFunc(g.Rules, func(a, b Rule) int { return cmp.Compare(a.Alert, b.Alert) })
	for i := range g.Rules {
		g.Rules[i].Labels = over(g.Rules[i].Labels, map[string]string{GroupLabel: name})
	}
	return g
}

func (m *merge) group(name string, rules []written) Group {
	g := Group{Name: name, Interval: m.intervals[name], Rules: []Rule{}}
	seen := map[string]bool{}
	for _, w := range rules {
		if !w.fleet {
			w.Rule = m.keep(w)
		}
		// Every rule was read before, so this one is.
		if expr, err := Distinct(w.Rule); err == nil {
			w.Expr = expr
		}
		// vmalert does not read a group in which a rule is there twice, and with it no other group.
		id := w.identity()
		if seen[id] {
			m.refuse(w.at, w.Name(), twice())
			continue
		}
		seen[id] = true
		g.Rules = append(g.Rules, w.Rule)
	}
	return g
}

func (m *merge) keep(w written) Rule {
	expr, ok, err := Keep(w.Expr)
	if err != nil {
		return w.Rule
	}
	if !ok {
		m.out.Notes = append(m.out.Notes, w.at.problem(w.Name(), Problem{Message: "the labels cluster and tenant cannot be kept in this expression; write them into it, or annotate the object with " + ScopeAnnotation + ": " + ScopeFleet}))
	}
	w.Rule.Expr = expr
	return w.Rule
}

// RecordsFor are the recording rules of a region: those of every region, with its own groups
// instead of theirs, sorted by name.
func (r Rules) RecordsFor(cluster string) []Group {
	groups := map[string]Group{}
	for _, g := range slices.Concat(r.Records, r.RecordsOf[cluster]) {
		groups[g.Name] = g
	}
	var out []Group
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if len(groups[name].Rules) > 0 {
			out = append(out, groups[name])
		}
	}
	return out
}

// sentence leaves out the word by which errors are sorted: a Problem is the user's in any case.
func sentence(err error) string { return strings.TrimPrefix(err.Error(), "invalid: ") }
