package machinetemplate_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/machinetemplate"
)

func TestCapacity(t *testing.T) {
	got := machinetemplate.Capacity(infra.LocalMachineSpec{CPUs: 3, Memory: resource.MustParse("1536Mi")})
	for name, want := range map[string]string{"cpu": "3", "memory": "1536Mi", "pods": "110"} {
		if q := got[name]; q.String() != want {
			t.Errorf("capacity %s = %s; want %s, or the autoscaler counts wrong", name, q.String(), want)
		}
	}
}
