package volumes

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var here = Here{Node: "node-1", Provisioner: "portico.dev/volumes"}

func someClaim() *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team", Name: "data", UID: "u-1",
			Annotations: map[string]string{wantedProvisioner: here.Provisioner, selectedNode: here.Node},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func someClass() *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "local"}, Provisioner: here.Provisioner}
}

func TestProvision(t *testing.T) {
	block := corev1.PersistentVolumeBlock
	for _, tc := range []struct {
		name, why string
		change    func(*corev1.PersistentVolumeClaim, *storagev1.StorageClass)
		want      bool
	}{
		{"Ours", "The scheduler chose this node.", func(*corev1.PersistentVolumeClaim, *storagev1.StorageClass) {}, true},
		{"OtherNode", "Its own worker does it.", func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) {
			c.Annotations[selectedNode] = "node-2"
		}, false},
		{"Unscheduled", "No pod uses it yet.", func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) { delete(c.Annotations, selectedNode) }, false},
		{"OtherProvisioner", "Somebody else's class.", func(c *corev1.PersistentVolumeClaim, s *storagev1.StorageClass) {
			c.Annotations[wantedProvisioner], s.Provisioner = "other", "other"
		}, false},
		{"ClassChanged", "The class was made anew for somebody else.", func(_ *corev1.PersistentVolumeClaim, s *storagev1.StorageClass) { s.Provisioner = "other" }, false},
		{"Bound", "It has a volume.", func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) { c.Spec.VolumeName = "pvc-u-1" }, false},
		{"Deleting", "It is going.", func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) {
			c.DeletionTimestamp = &metav1.Time{}
		}, false},
		{"Block", "A folder is no block device.", func(c *corev1.PersistentVolumeClaim, _ *storagev1.StorageClass) { c.Spec.VolumeMode = &block }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claim, class := someClaim(), someClass()
			tc.change(claim, class)
			if got := here.Provision(claim, class); (got != nil) != tc.want {
				t.Errorf("%s\nProvision = %v; want a volume: %t", tc.why, got, tc.want)
			}
		})
	}
	if got := here.Provision(someClaim(), nil); got != nil {
		t.Errorf("a claim whose class is gone got %v", got)
	}
}

// What Provision makes, Reclaim has to know again: else the data of every volume would stay.
func TestProvisionedIsReclaimed(t *testing.T) {
	v := here.Provision(someClaim(), someClass())
	if v.Spec.Local.Path != Root+"/pvc-u-1" || v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || v.Spec.ClaimRef.UID != "u-1" {
		t.Errorf("volume %+v; want it in its own folder, deleted with its claim and reserved for it", v.Spec)
	}
	if size := v.Spec.Capacity[corev1.ResourceStorage]; size.String() != "1Gi" {
		t.Errorf("capacity %s; want what was asked for", size.String())
	}
	v.Status.Phase = corev1.VolumeReleased
	if folder, ok := here.Reclaim(v); !ok || folder != Root+"/pvc-u-1" {
		t.Errorf("Reclaim = %q, %t; want the folder", folder, ok)
	}
}

func TestReclaim(t *testing.T) {
	for _, tc := range []struct {
		name, why string
		change    func(*corev1.PersistentVolume)
	}{
		{"Bound", "A pod may be writing.", func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound }},
		{"Retain", "The user wants the data.", func(v *corev1.PersistentVolume) {
			v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		}},
		{"OtherNode", "The folder is elsewhere; here one of that name could be another's.", func(v *corev1.PersistentVolume) {
			v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values = []string{"node-2"}
		}},
		{"NoNode", "Nobody knows where the folder is.", func(v *corev1.PersistentVolume) { v.Spec.NodeAffinity = nil }},
		{"NotIn", "The node is named as one where it is not.", func(v *corev1.PersistentVolume) {
			v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpNotIn
		}},
		{"OtherProvisioner", "We did not make it.", func(v *corev1.PersistentVolume) { delete(v.Annotations, provisionedBy) }},
		{"NotLocal", "It is no folder.", func(v *corev1.PersistentVolume) { v.Spec.Local = nil }},
		{"ForeignPath", "Whoever may write volumes must not have other folders removed.", func(v *corev1.PersistentVolume) { v.Spec.Local.Path = "/etc" }},
		{"Climbs", "Nor by climbing out of ours.", func(v *corev1.PersistentVolume) { v.Spec.Local.Path = Root + "/pvc-u-1/../../.." }},
		{"WholeRoot", "Nor all volumes at once.", func(v *corev1.PersistentVolume) { v.Spec.Local.Path = Root }},
		{"AnotherVolume", "Nor the data of another one.", func(v *corev1.PersistentVolume) { v.Spec.Local.Path = Root + "/pvc-u-2" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := here.Provision(someClaim(), someClass())
			v.Status.Phase = corev1.VolumeReleased
			tc.change(v)
			if folder, ok := here.Reclaim(v); ok {
				t.Errorf("%s\nReclaim = %q; want nothing removed", tc.why, folder)
			}
		})
	}
}
