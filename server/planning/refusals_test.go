package planning_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/cost/lists"
	"portico.dev/portico/server/planning"
)

const claim = `
apiVersion: k0rdent.mirantis.com/v1beta1
kind: ClusterDeployment
metadata: {namespace: mine, name: new, labels: {k0rdent.mirantis.com/kof-tenant-id: acme}}
spec: {template: t, credential: c}
`

// What the admission would refuse of telemetry and cost is foreseen.
func TestRefusalsAreForeseen(t *testing.T) {
	for _, tc := range []struct{ name, why, body, says string }{
		{"Rule", "A rule that does not parse is refused where rules are.",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: kof, name: rules, labels: {k0rdent.mirantis.com/kof-alert-rules-cluster-name: ''}}\ndata: {g: 'A: {expr: \"up ==\"}'}\n",
			"the expression does not parse"},
		{"Price", "A price that is none.",
			"apiVersion: cost.portico.dev/v1alpha1\nkind: PriceList\nmetadata: {name: list}\nspec: {currency: EUR, defaults: {cpu: -1}}\n",
			"spec.defaults.cpu"},
		{"Tenant", "A tenant of another namespace.", claim, "tenant acme belongs to another namespace"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, text := post(t, guarded(t, reviewed(func(authorizationv1.ResourceAttributes) bool { return false })), "", tc.body)
			got := planned(t, text)
			if status != http.StatusOK || len(got.Refused) != 1 || !strings.Contains(strings.Join(got.Refused[0].Reasons, "\n"), tc.says) {
				t.Errorf("%s got %d %s; want a refusal with %q", tc.why, status, text, tc.says)
			}
		})
	}
}

// A tenant that its author may use is no reason, and neither is one of which he may not know.
func TestTenantIsNotRefused(t *testing.T) {
	allowed := reviewed(func(a authorizationv1.ResourceAttributes) bool {
		return a.Resource == "tenants" && a.Verb == "use" && a.Name == "acme" && a.Namespace == ""
	})
	blind := interceptor.Funcs{List: func(ctx context.Context, kube client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		_, config := list.(*corev1.ConfigMapList)
		_, namespaces := list.(*corev1.NamespaceList)
		if of := (&client.ListOptions{}).ApplyOptions(opts).Namespace; config || namespaces || of == "" || of == "theirs" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "them"}, "", errors.New("not yours"))
		}
		return kube.List(ctx, list, opts...)
	}}
	for name, funcs := range map[string]interceptor.Funcs{"Allowed": allowed, "Blind": blind} {
		t.Run(name, func(t *testing.T) {
			status, text := post(t, guarded(t, funcs), "", claim)
			if got := planned(t, text); status != http.StatusOK || len(got.Refused) > 0 {
				t.Errorf("got %d %s; want no refusal", status, text)
			}
		})
	}
}

// reviewed answers whether somebody may do something.
func reviewed(may func(authorizationv1.ResourceAttributes) bool) interceptor.Funcs {
	return interceptor.Funcs{Create: func(ctx context.Context, kube client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		if review, is := o.(*authorizationv1.SelfSubjectAccessReview); is {
			review.Status.Allowed = may(*review.Spec.ResourceAttributes)
			return nil
		}
		return kube.Create(ctx, o, opts...)
	}}
}

// guarded is a planner of a fleet in which tenant acme is at home in namespace theirs.
func guarded(t *testing.T, funcs interceptor.Funcs) *planning.Planner {
	t.Helper()
	mine := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "mine", Name: "new"}}
	mine.Spec.Template, mine.Spec.Credential = "t", "c"
	p := planner(t, mine,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mine"}},
		&kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "theirs", Name: "old", Labels: map[string]string{kof.TenantLabel: "acme"}}},
	)
	p.CheckRules = alert.Validate
	p.CheckPrices = func(name string, spec costv1.PriceListSpec, text string) field.ErrorList {
		_, errs := lists.Read(name, spec, text)
		return errs
	}
	p.Kube = interceptor.NewClient(p.Kube.(client.WithWatch), funcs)
	return p
}
