package control

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func TestFirstStatusIsSentWhole(t *testing.T) {
	was := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: "x"}}
	now := was.DeepCopy()
	now.Status.ValidationError = "no chart"
	data, err := statusPatch{was}.Data(now)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"valid":false`) {
		t.Errorf("the first status lacks the required field valid: %s", data)
	}
	later := now.DeepCopy()
	later.Status.ValidationError = "other"
	if data, err = (statusPatch{now}).Data(later); err != nil || string(data) != `{"status":{"validationError":"other"}}` {
		t.Errorf("a later status: %s, %v, want the difference alone", data, err)
	}
}
