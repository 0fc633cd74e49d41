package serviceset_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// rules are a ConfigMap with health rules, which say of each ConfigMap of a service what it has to hold.
func (p *plane) rules(name, target string, healthy ...string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name, Labels: map[string]string{kcm.HealthRuleTargetLabel: target}},
		Data:       map[string]string{"rules": rulesThat(healthy...)},
	}
}

func rulesThat(healthy ...string) string {
	var text strings.Builder
	for _, h := range healthy {
		text.WriteString("- {version: v1, kind: ConfigMap, healthy: \"" + h + "\", message: the text is another one}\n")
	}
	return text.String()
}

// ill says that the only service is there and not healthy, with these words.
func ill(words string) func(*kcm.ServiceSet, bool) bool {
	return func(set *kcm.ServiceSet, _ bool) bool {
		if len(set.Status.Services) != 1 || set.Status.Deployed {
			return false
		}
		s := set.Status.Services[0]
		return s.State == kcm.ServiceProvisioning && strings.Contains(s.FailureMessage, words) && slices.ContainsFunc(s.Conditions, func(c metav1.Condition) bool {
			return c.Type == "ServiceHealthConfigMap" && c.Status == metav1.ConditionFalse && c.Reason == "ConfigMapUnhealthy" && strings.Contains(c.Message, words)
		})
	}
}

// well says that the set is deployed, and that this is said of its health rules; no words for nothing.
func well(status metav1.ConditionStatus, words string) func(*kcm.ServiceSet, bool) bool {
	return func(set *kcm.ServiceSet, there bool) bool {
		any := slices.ContainsFunc(set.Status.Conditions, func(c metav1.Condition) bool { return c.Type == kcm.ServiceSetHealthRulesCondition })
		healthy := len(set.Status.Services) == 1 && len(set.Status.Services[0].Conditions) == 0
		return deployed(set, there) && healthy && (words == "" && !any || says(kcm.ServiceSetHealthRulesCondition, status, words)(set, there))
	}
}

// Health rules are followed wherever they come from, and judge what is there: they are changed, broken,
// mended and taken away, and nothing is deployed anew.
func TestHealthRulesOfASet(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	cluster := p.world.AddCluster(p.solo())
	p.create(p.onItsOwn("judged", web("text: one")))
	p.until("judged", "the deployment", well("", ""))
	writes := cluster.Writes()

	owner := p.rules("owner", "solo", "obj.data.text == 'two'")
	p.create(owner)
	p.until("judged", "the verdict", ill("ConfigMap default/web: the text is another one (health rule 0 of ConfigMap "+p.namespace+"/owner)"))
	set := func(text string) func(*corev1.ConfigMap) {
		return func(c *corev1.ConfigMap) { c.Data = map[string]string{"rules": text} }
	}
	change(p, owner, set(rulesThat("obj.data.text == 'one'")))
	p.until("judged", "another verdict", well(metav1.ConditionTrue, "1 rules"))
	change(p, owner, set(rulesThat("object.data", "obj.data.text == 'one'")))
	p.until("judged", "the mistake", well(metav1.ConditionFalse, "ConfigMap "+p.namespace+"/owner: rules[0].healthy: line 1, column 1: undeclared reference to 'object'"))
	change(p, owner, set(rulesThat("object.data", "obj.data.text == 'two'")))
	p.until("judged", "the verdict of the good rule", ill("health rule 1"))
	change(p, owner, func(c *corev1.ConfigMap) { c.Labels[kcm.HealthRuleTargetLabel] = "another" })
	p.until("judged", "the end of rules that are for others now", well("", ""))

	here := p.rules("here", kcm.HealthRuleTargetGlobal, "obj.data.text == 'two'")
	p.create(here)
	p.until("judged", "the verdict of rules for the namespace", ill("health rule 0 of ConfigMap "+p.namespace+"/here"))
	must(t, p.kube.Delete(t.Context(), here))
	p.until("judged", "the end of these rules", well("", ""))

	err := p.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	all := p.rules("all-"+p.namespace, kcm.HealthRuleTargetGlobal, "obj.data.text == 'two'")
	all.Namespace = home
	p.create(all)
	p.until("judged", "the verdict of rules for all", ill("health rule 0 of ConfigMap "+home+"/"+all.Name))
	must(t, p.kube.Delete(t.Context(), all))
	p.until("judged", "the end of rules for all", well("", ""))
	if now := cluster.Writes(); now != writes {
		t.Errorf("%d writes although nothing of what is wanted has changed", now-writes)
	}
}
