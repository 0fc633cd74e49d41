package serviceset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
)

const (
	// healthRulesKey is the key of a ConfigMap that holds health rules.
	healthRulesKey = "rules"
	// mostHealthRules is how many of them count for one set.
	mostHealthRules = 100
	// mostMistakes is how many mistakes a condition tells of.
	mostMistakes = 3
	// longestMessage is how many bytes a rule may have said of an object.
	longestMessage = 500
	// longestWords is how much of a sentence stands in a condition: the API server takes 32 KiB, and
	// users and other programs have written some of the words.
	longestWords = 2000
)

// HealthRules are the health rules that count for a set.
type HealthRules struct {
	// Any says that there are ConfigMaps with health rules for the set.
	Any   bool
	Rules []engine.HealthRule
	// Mistakes are what is wrong with those that do not count, as sentences.
	Mistakes []string
}

// add takes the rules of another ConfigMap, as far as there is room.
func (h *HealthRules) add(more HealthRules, from string) {
	h.Any = true
	h.Mistakes = append(h.Mistakes, more.Mistakes...)
	room := mostHealthRules - len(h.Rules)
	if len(more.Rules) > room {
		h.Mistakes = append(h.Mistakes, fmt.Sprintf("%s: of its %d rules the last %d do not count, since a ServiceSet has at most %d: take some out, here or in other ConfigMaps", from, len(more.Rules), len(more.Rules)-room, mostHealthRules))
		more.Rules = more.Rules[:room]
	}
	h.Rules = append(h.Rules, more.Rules...)
}

// fact is whether all health rules can be used.
func (h HealthRules) fact() metav1.Condition {
	const kind = kcm.ServiceSetHealthRulesCondition
	if len(h.Mistakes) == 0 {
		return control.True(kind, kcm.AllRulesValidReason, fmt.Sprintf("%d rules", len(h.Rules)))
	}
	var told []string
	for _, m := range h.Mistakes[:min(len(h.Mistakes), mostMistakes)] {
		told = append(told, shortened(m))
	}
	text := strings.Join(told, "; ")
	if more := len(h.Mistakes) - mostMistakes; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return control.False(kind, kcm.HealthRuleInvalidReason, text)
}

// shortened is a sentence as conditions have it.
func shortened(text string) string {
	if len(text) <= longestWords {
		return text
	}
	return strings.ToValidUTF8(text[:longestWords], "") + " …"
}

// ownerOf is the name by which ConfigMaps with health rules mean the services of a set: that of the
// object which asks for them.
func ownerOf(set *kcm.ServiceSet) string {
	return cmp.Or(set.Spec.MultiClusterService, set.Spec.NamespacedMultiClusterService, set.Spec.Cluster)
}

// judges says whether a ConfigMap has health rules for a set; home is the system namespace.
func judges(from client.Object, set *kcm.ServiceSet, home string) bool {
	target, here := from.GetLabels()[kcm.HealthRuleTargetLabel], from.GetNamespace() == set.Namespace
	switch target {
	case "":
		return false
	case kcm.HealthRuleTargetGlobal:
		return here || from.GetNamespace() == home
	}
	return here && target == ownerOf(set)
}

// healthRules says whether all health rules for the set can be used, if there are any. While the set
// cannot be handled, they may not have been read.
func healthRules(set *kcm.ServiceSet, done Outcome) []metav1.Condition {
	before := control.Find(set.Status.Conditions, kcm.ServiceSetHealthRulesCondition)
	switch {
	case done.Saw.Health.Any:
		return []metav1.Condition{done.Saw.Health.fact()}
	case done.Problem != "" && before != nil:
		return []metav1.Condition{*before}
	}
	return nil
}

// unhealthy are the conditions of a service by the kinds of its objects that do not run.
func unhealthy(kinds []engine.Unhealthy) []metav1.Condition {
	var facts []metav1.Condition
	for _, u := range kinds {
		reason := u.Kind + kcm.UnhealthyReasonSuffix
		if u.Misscoped {
			reason = kcm.HealthRuleScopeMismatchReason
		}
		facts = append(facts, control.False(kcm.ServiceHealthConditionPrefix+u.Kind, reason, shortened(u.Message)))
	}
	return facts
}

// wasUnhealthy are those that a service had when somebody looked last.
func wasUnhealthy(before kcm.ServiceState) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(before.Conditions), func(c metav1.Condition) bool {
		return !strings.HasPrefix(c.Type, kcm.ServiceHealthConditionPrefix)
	})
}

// parseHealthRules reads the health rules of a ConfigMap, which messages call by this name. What is
// wrong with one does not concern the others. compile says what is wrong with a condition.
func parseHealthRules(name string, data map[string]string, compile func(string) error) HealthRules {
	out := HealthRules{Any: true}
	text, ok := data[healthRulesKey]
	if !ok {
		out.Mistakes = []string{fmt.Sprintf("%s has no key %q: put the list of rules under it", name, healthRulesKey)}
		return out
	}
	var list []json.RawMessage
	raw, err := yaml.YAMLToJSONStrict([]byte(text))
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		out.Mistakes = []string{fmt.Sprintf("%s: its key %q is no list of rules: %v", name, healthRulesKey, err)}
		return out
	}
	if len(list) > mostHealthRules {
		out.Mistakes = append(out.Mistakes, fmt.Sprintf("%s has %d rules, and only the first %d count: take some out", name, len(list), mostHealthRules))
		list = list[:mostHealthRules]
	}
	for i, one := range list {
		rule, field, err := parseHealthRule(one, compile)
		if err != nil {
			out.Mistakes = append(out.Mistakes, fmt.Sprintf("%s: rules[%d]%s: %s", name, i, field, fleet.Sentence(err)))
			continue
		}
		rule.Source = fmt.Sprintf("health rule %d of %s", i, name)
		out.Rules = append(out.Rules, rule)
	}
	return out
}

// parseHealthRule reads one rule. field is where it is wrong.
func parseHealthRule(raw json.RawMessage, compile func(string) error) (rule engine.HealthRule, field string, err error) {
	var entry map[string]any
	if err := json.Unmarshal(raw, &entry); err != nil || entry == nil {
		return rule, "", fmt.Errorf("expected a rule with the fields group, version, kind, scope, healthy and message")
	}
	scope := ""
	into := map[string]*string{
		"group": &rule.Group, "version": &rule.Version, "kind": &rule.Kind, "scope": &scope, "healthy": &rule.Healthy, "message": &rule.Message,
	}
	for _, key := range slices.Sorted(maps.Keys(entry)) {
		text, isText := entry[key].(string)
		switch to := into[key]; {
		case to == nil:
			return rule, "." + key, fmt.Errorf("a rule has no such field: correct it, or take it out; it has %s", strings.Join(slices.Sorted(maps.Keys(into)), ", "))
		case !isText && entry[key] != nil:
			return rule, "." + key, fmt.Errorf("expected a text, and it is %v: put it in quotes", entry[key])
		default:
			*to = text
		}
	}
	for _, key := range []string{"version", "kind", "healthy"} {
		if strings.TrimSpace(*into[key]) == "" {
			return rule, "." + key, fmt.Errorf("it is missing: add it")
		}
	}
	switch scope {
	case "", "Namespaced":
	case "Cluster":
		rule.ClusterScoped = true
	default:
		return rule, ".scope", fmt.Errorf("%q is not possible: want Namespaced or Cluster", scope)
	}
	if len(rule.Message) > longestMessage {
		return rule, ".message", fmt.Errorf("it is longer than %d bytes: shorten it", longestMessage)
	}
	if err := compile(rule.Healthy); err != nil {
		return rule, ".healthy", fmt.Errorf("%w: correct the condition, which calls the object obj", err)
	}
	return rule, "", nil
}
