package topology

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

func TestMayUse(t *testing.T) {
	const mine, others = "ConfigMap/team/kof-eu", "ConfigMap/infra/kof-us"
	trusted := []string{"kcm-system", kof.Namespace}
	for _, tc := range []struct {
		why, from, made   string // whose object names the Secret, and for which region it was made
		namespace, secret string // where the Secret is, and for which region that was made
		consent           string
		good              bool
	}{
		{"What was made for the region is its.", "team", mine, kof.Namespace, mine, "", true},
		{"The copy beside it, too.", "team", mine, "team", mine, "", true},
		{"The admin of another region is nobody's to name.", "team", mine, kof.Namespace, others, "", false},
		{"Nor may the object say that it was made for that one.", "team", others, kof.Namespace, others, "", false},
		{"What was made for a cluster is not for a region.", "team", mine, kof.Namespace, "ClusterDeployment/team/eu", "", false},
		{"Nor does an object for a cluster have that one's.", "team", "ClusterDeployment/team/eu", kof.Namespace, "ClusterDeployment/team/eu", "", false},
		{"A Secret that is there for something else.", "team", mine, "team", "", "", false},
		{"One whose owner has agreed.", "team", mine, "team", "", "true", true},
		{"And for an object that somebody wrote.", "team", "", "team", "", "true", true},
		{"Who wants to say no, may.", "team", mine, "team", "", "false", false},
		{"Consent counts in the own namespace.", "team", mine, kof.Namespace, "", "true", false},
		{"Those who run the plane name what they want.", "kcm-system", "", kof.Namespace, "", "", true},
		{"As in KOF.", kof.Namespace, "", kof.Namespace, "", "", true},
	} {
		o := &metav1.ObjectMeta{Namespace: tc.from, Name: "o", Annotations: map[string]string{ForAnnotation: tc.made}}
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: tc.namespace, Name: "s", Labels: map[string]string{ConsentLabel: tc.consent}, Annotations: map[string]string{ForAnnotation: tc.secret},
		}}
		if err := BorrowerOf(o, trusted).MayUse(s); (err == nil) != tc.good || err != nil && !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s\nMayUse = %v, want good: %t", tc.why, err, tc.good)
		}
	}
	neither := Borrower{Namespace: "team"}
	if err := neither.MayUse(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: kof.Namespace}}); err == nil {
		t.Error("an object for no region may use a Secret for none")
	}
	if got := (Borrower{Namespace: "team"}).Places("kof", "s"); len(got) != 2 || got[0] != (types.NamespacedName{Namespace: "team", Name: "s"}) {
		t.Errorf("Places = %v", got)
	}
}
