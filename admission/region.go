package admission

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// RegionRefs is what the rules for a Region have to know of the world.
type RegionRefs struct {
	ComponentRefs
	// SystemNamespace is where kubeconfigs are.
	SystemNamespace string
	// Kubeconfig says whether the Secret of spec.kubeConfig is there, and has the key.
	Kubeconfig bool
	// Cluster is the object of spec.clusterDeployment.
	Cluster *kcm.ClusterDeployment
	// Others are all Regions.
	Others []kcm.Region
}

// ValidateRegion says what is wrong with an object; old is nil for a new one.
func ValidateRegion(r, old *kcm.Region, refs RegionRefs) field.ErrorList {
	now := wanted{refs.Release, r.Spec.Core, r.Spec.Providers}
	if old != nil {
		if settled(r, r.Spec, old.Spec) {
			return nil
		}
		return append(sameRegionCluster(r, old), components(now, wanted{refs.Release, old.Spec.Core, old.Spec.Providers}, refs.ComponentRefs)...)
	}
	errs := labelName(namePath, r.Name, maxRegionName)
	errs = append(errs, regionCluster(r, refs)...)
	return append(errs, components(now, wanted{}, refs.ComponentRefs)...)
}

// regionCluster checks that the cluster exists and is nobody else's region.
func regionCluster(r *kcm.Region, refs RegionRefs) field.ErrorList {
	var errs field.ErrorList
	if k := r.Spec.KubeConfig; k != nil && !refs.Kubeconfig {
		errs = append(errs, field.Invalid(specPath.Child("kubeConfig"), k.Name, fmt.Sprintf("there is no Secret with key %q in namespace %s: create it first", kubeconfigKey(k), refs.SystemNamespace)))
	}
	if c := r.Spec.ClusterDeployment; c != nil && refs.Cluster == nil {
		errs = append(errs, missing(specPath.Child("clusterDeployment", "name"), c.Name, kcm.ClusterDeploymentKind, c.Namespace))
	}
	for _, o := range refs.Others {
		if o.Name != r.Name && sameCluster(o.Spec, r.Spec) {
			errs = append(errs, field.Forbidden(specPath, fmt.Sprintf("Region %s is on the same cluster, and two cannot share one: name another cluster", o.Name)))
		}
	}
	return errs
}

// sameRegionCluster refuses to put a region on another cluster: everything in it would be left
// behind. The rules of the schema let one of the two references be swapped for the other.
func sameRegionCluster(r, old *kcm.Region) field.ErrorList {
	var errs field.ErrorList
	for _, ref := range []struct {
		name string
		same bool
	}{
		{"kubeConfig", equality.Semantic.DeepEqual(r.Spec.KubeConfig, old.Spec.KubeConfig)},
		{"clusterDeployment", equality.Semantic.DeepEqual(r.Spec.ClusterDeployment, old.Spec.ClusterDeployment)},
	} {
		if !ref.same {
			errs = append(errs, field.Forbidden(specPath.Child(ref.name), ref.name+" is immutable: make another Region for another cluster"))
		}
	}
	return errs
}

func sameCluster(a, b kcm.RegionSpec) bool {
	if a.KubeConfig != nil && b.KubeConfig != nil {
		return a.KubeConfig.Name == b.KubeConfig.Name && kubeconfigKey(a.KubeConfig) == kubeconfigKey(b.KubeConfig)
	}
	return a.ClusterDeployment != nil && equality.Semantic.DeepEqual(a.ClusterDeployment, b.ClusterDeployment)
}

func kubeconfigKey(k *kcm.KubeConfigReference) string {
	if k.Key == "" {
		return kcm.KubeconfigSecretKey
	}
	return k.Key
}

// ValidateRegionDeletion says what keeps a Region from being deleted: users are clusters whose
// credentials belong to it.
func ValidateRegionDeletion(users []string) field.ErrorList {
	return inUse("region deletion is forbidden: the Region", users)
}
