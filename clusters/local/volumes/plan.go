package volumes

import (
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Root is the folder, on the node and in the worker's pod, that holds the volumes' folders.
const Root = "/var/lib/portico-volumes"

// Annotations and labels of Kubernetes' volume controllers.
const (
	wantedProvisioner = "volume.kubernetes.io/storage-provisioner"
	selectedNode      = "volume.kubernetes.io/selected-node"
	provisionedBy     = "pv.kubernetes.io/provisioned-by"
)

// Here is who decides: one node's worker.
type Here struct{ Node, Provisioner string }

// Provision returns the volume that a claim needs, or nil if it needs none from here.
func (h Here) Provision(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *corev1.PersistentVolume {
	switch {
	case claim.DeletionTimestamp != nil,
		claim.Spec.VolumeName != "",
		claim.Annotations[wantedProvisioner] != h.Provisioner,
		claim.Annotations[selectedNode] != h.Node,
		class == nil, class.Provisioner != h.Provisioner,
		claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock:
		return nil
	}
	name := "pvc-" + string(claim.UID)
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: h.Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: filepath.Join(Root, name)},
			},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{h.Node}},
				}}},
			}},
		},
	}
}

// Reclaim returns the folder of a volume that is to be removed with its data, or false.
func (h Here) Reclaim(volume *corev1.PersistentVolume) (folder string, ok bool) {
	if volume.Annotations[provisionedBy] != h.Provisioner || volume.Spec.Local == nil || !h.holds(volume) {
		return "", false
	}
	if volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return "", false
	}
	// Whoever may write PersistentVolumes must not be able to have other folders removed.
	if volume.Spec.Local.Path != filepath.Join(Root, volume.Name) {
		return "", false
	}
	return volume.Spec.Local.Path, true
}

// holds says whether the volume is on this node.
func (h Here) holds(volume *corev1.PersistentVolume) bool {
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return false
	}
	return slices.ContainsFunc(volume.Spec.NodeAffinity.Required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		return slices.ContainsFunc(t.MatchExpressions, func(r corev1.NodeSelectorRequirement) bool {
			return r.Key == corev1.LabelHostname && r.Operator == corev1.NodeSelectorOpIn && slices.Contains(r.Values, h.Node)
		})
	})
}
