package service_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/service"
)

func TestMergeOptions(t *testing.T) {
	yes, no := true, false
	labels := func(m map[string]string) *map[string]string { return &m }
	template := &kcm.ServiceHelmOptions{Wait: &yes, Labels: labels(map[string]string{"a": "1", "b": "1"}), InstallOptions: &kcm.HelmInstallOptions{Replace: &yes}}
	own := &kcm.ServiceHelmOptions{Wait: &no, Labels: labels(map[string]string{"b": "2"}), InstallOptions: &kcm.HelmInstallOptions{CreateNamespace: &yes}}
	want := &kcm.ServiceHelmOptions{Wait: &no, Atomic: &yes, Labels: labels(map[string]string{"a": "1", "b": "2"}), InstallOptions: &kcm.HelmInstallOptions{CreateNamespace: &yes}}
	if diff := cmp.Diff(want, service.MergeOptions(template, own)); diff != "" {
		t.Errorf("the service's options win, field by field (-want +got):\n%s", diff)
	}
	if *template.Wait != true || len(*template.Labels) != 2 {
		t.Error("merging changed the template's own options")
	}
	if got := service.MergeOptions(nil, nil); got.Atomic == nil || !*got.Atomic {
		t.Errorf("MergeOptions(nil, nil) = %+v; a release is atomic unless somebody says otherwise", got)
	}
}
