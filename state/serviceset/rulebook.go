package serviceset

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	ctrl "sigs.k8s.io/controller-runtime"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/rule"
)

// mostPages is of how many ConfigMaps the health rules are kept.
const mostPages = 1000

// rulebook has the health rules of the management cluster's ConfigMaps. Each is read and compiled
// once for as long as it stays the same. It is safe for concurrent use.
type rulebook struct {
	// listed has the metadata of all ConfigMaps; live has their contents.
	listed, live client.Reader
	rules        *rule.Rules

	mu    sync.Mutex
	pages map[client.ObjectKey]rulesPage
}

// rulesPage are the rules of a ConfigMap in one version.
type rulesPage struct {
	version string
	rules   HealthRules
}

func newRulebook(listed, live client.Reader) *rulebook {
	return &rulebook{listed: listed, live: live, rules: rule.About(helm.RuleVariable), pages: map[client.ObjectKey]rulesPage{}}
}

// read returns the rules that count for a set: those of the system namespace before those of the
// set's own.
func (b *rulebook) read(ctx context.Context, set *kcm.ServiceSet, home string) (HealthRules, error) {
	var out HealthRules
	for _, namespace := range slices.Compact([]string{home, set.Namespace}) {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(configMapKind.GroupVersion().WithKind(configMapKind.Kind + "List"))
		if err := b.listed.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{kcm.HealthRuleTargetLabel}); err != nil {
			return out, fmt.Errorf("listing ConfigMaps with health rules in namespace %s: %w", namespace, err)
		}
		slices.SortFunc(list.Items, func(a, b metav1.PartialObjectMetadata) int { return cmp.Compare(a.Name, b.Name) })
		for i := range list.Items {
			if !judges(&list.Items[i], set, home) {
				continue
			}
			found, err := b.page(ctx, &list.Items[i])
			if err != nil {
				return out, err
			}
			if found.Any {
				out.add(found, nameOfRules(&list.Items[i]))
			}
		}
	}
	return out, nil
}

// page are the rules of one ConfigMap; none if it is gone.
func (b *rulebook) page(ctx context.Context, at *metav1.PartialObjectMetadata) (HealthRules, error) {
	key := client.ObjectKeyFromObject(at)
	b.mu.Lock()
	known, ok := b.pages[key]
	b.mu.Unlock()
	if ok && known.version == versionOf(at) {
		return known.rules, nil
	}
	var found corev1.ConfigMap
	if err := b.live.Get(ctx, key, &found); err != nil {
		if apierrors.IsNotFound(err) {
			return HealthRules{}, nil
		}
		return HealthRules{}, fmt.Errorf("reading ConfigMap %s: %w", key, err)
	}
	compile := func(text string) error {
		_, err := b.rules.Compile(text)
		return err
	}
	page := rulesPage{versionOf(&found), parseHealthRules(nameOfRules(at), found.Data, compile)}
	b.mu.Lock()
	defer b.mu.Unlock()
	for other := range b.pages {
		if len(b.pages) < mostPages {
			break
		}
		delete(b.pages, other) // any: it is read again if somebody asks
	}
	b.pages[key] = page
	return page.rules, nil
}

func versionOf(obj client.Object) string {
	return string(obj.GetUID()) + "/" + obj.GetResourceVersion()
}

func nameOfRules(obj client.Object) string {
	return fmt.Sprintf("ConfigMap %s/%s", obj.GetNamespace(), obj.GetName())
}

// judge reads the health rules that count for the set.
func (l *look) judge(ctx context.Context) (err error) {
	if l.c.rulebook == nil {
		return nil // a set that is only resolved is not judged
	}
	l.saw.Health, err = l.c.rulebook.read(ctx, l.set, l.c.home)
	return err
}

// judged are the sets that a ConfigMap has health rules for.
func (c *Controller) judged(ctx context.Context, rules client.Object) []reconcile.Request {
	target := rules.GetLabels()[kcm.HealthRuleTargetLabel]
	if target == "" {
		return nil
	}
	namespace := rules.GetNamespace()
	if target == kcm.HealthRuleTargetGlobal && namespace == c.home {
		namespace = ""
	}
	var sets kcm.ServiceSetList
	if err := c.kube.List(ctx, &sets, client.InNamespace(namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the ServiceSets that health rules are for")
		return nil
	}
	var out []reconcile.Request
	for i := range sets.Items {
		if judges(rules, &sets.Items[i], c.home) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&sets.Items[i])})
		}
	}
	return out
}
