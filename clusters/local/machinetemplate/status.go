package machinetemplate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
)

// maxPods is kubelet's own limit, and that of virtual nodes.
const maxPods = 110

// Capacity is what a node of a machine with that spec offers.
func Capacity(spec infra.LocalMachineSpec) map[string]resource.Quantity {
	return map[string]resource.Quantity{
		string(corev1.ResourceCPU):    *resource.NewQuantity(int64(spec.CPUs), resource.DecimalSI),
		string(corev1.ResourceMemory): spec.Memory,
		string(corev1.ResourcePods):   *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
}
