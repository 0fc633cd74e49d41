package placement

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
)

// Owner names who wants services on clusters. Namespace is empty for a MultiClusterService.
type Owner struct {
	Kind            statev1.SubjectKind
	Namespace, Name string
}

// String is how messages call the owner.
func (o Owner) String() string {
	if o.Namespace == "" {
		return string(o.Kind) + " " + o.Name
	}
	return string(o.Kind) + " " + o.Namespace + "/" + o.Name
}

// Wish is what an owner wants, as far as it matters where and in which order.
type Wish struct {
	Owner
	Spec     kcm.MultiClusterServiceSpec
	Deleting bool
	// Deadline is how long the removal of its services waits for those of another owner.
	Deadline Deadline
	// chosen is the selector, compiled.
	chosen labels.Selector
}

// NewWish reads a spec. A selector that cannot be read selects nothing, and is an error.
func NewWish(owner Owner, spec kcm.MultiClusterServiceSpec) (Wish, error) {
	w := Wish{Owner: owner, Spec: spec, chosen: labels.Nothing()}
	selector := spec.ClusterSelector
	if len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return w, nil // an empty selector selects nothing, not all
	}
	chosen, err := metav1.LabelSelectorAsSelector(&selector)
	if err == nil {
		w.chosen = chosen
	}
	return w, err
}

// SelfManagement says whether the services go to the management cluster too.
func (w Wish) SelfManagement() bool {
	return w.Namespace == "" && w.Spec.ServiceSpec.Provider.SelfManagement
}

// ManagementName is how the management cluster is called where others are called
// namespace/name.
const ManagementName = "management"

// Target is a cluster that services may go to.
type Target struct {
	// Cluster is the ClusterDeployment; empty for the management cluster.
	Cluster types.NamespacedName
	Labels  map[string]string
	// Leaving says that it is being deleted or only tried out: it gets nothing new.
	Leaving bool
}

// Management is the management cluster.
func Management() Target {
	return Target{Labels: map[string]string{kcm.ManagementClusterLabel: kcm.LabelTrue}}
}

// TargetOf is a ClusterDeployment as a target.
func TargetOf(cd *kcm.ClusterDeployment) Target {
	return Target{
		Cluster: types.NamespacedName{Namespace: cd.Namespace, Name: cd.Name}, Labels: fleet.Selectable(cd),
		Leaving: cd.DeletionTimestamp != nil || cd.Spec.DryRun,
	}
}

// IsManagement says whether it is the management cluster.
func (t Target) IsManagement() bool { return t.Cluster.Name == "" }

// String is namespace/name, or "management".
func (t Target) String() string {
	if t.IsManagement() {
		return ManagementName
	}
	return t.Cluster.String()
}

// ParseCluster is the key that a target's String came from: empty for the management cluster.
func ParseCluster(text string) types.NamespacedName {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// Compare is the order of targets: the management cluster, then by namespace and name.
func Compare(a, b Target) int {
	return cmp.Or(cmp.Compare(a.Cluster.Namespace, b.Cluster.Namespace), cmp.Compare(a.Cluster.Name, b.Cluster.Name))
}

// Applies says whether the owner's services go to the target. Those of a
// NamespacedMultiClusterService stay in its namespace.
func (w Wish) Applies(t Target) bool {
	switch {
	case t.IsManagement():
		return w.SelfManagement()
	case t.Leaving, w.Namespace != "" && w.Namespace != t.Cluster.Namespace:
		return false
	}
	return w.chosen.Matches(labels.Set(t.Labels))
}

// Targets are the clusters that the owner's services go to, sorted.
func Targets(w Wish, clusters []Target) []Target {
	var out []Target
	if w.SelfManagement() {
		out = append(out, Management())
	}
	for _, c := range clusters {
		if !c.IsManagement() && w.Applies(c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, Compare)
	return out
}

// SetKey is the namespace and name of the owner's ServiceSet for a target: that of a
// MultiClusterService as in k0rdent. System is the namespace of what belongs to the management
// cluster.
func SetKey(o Owner, t Target, system string) types.NamespacedName {
	suffix := "-" + digest(o)
	if t.IsManagement() {
		return types.NamespacedName{Namespace: system, Name: ManagementName + suffix}
	}
	return types.NamespacedName{Namespace: t.Cluster.Namespace, Name: t.Cluster.Name + suffix}
}

// digest tells the owners of sets for one cluster apart. k0rdent hashes the name of a
// MultiClusterService, and has but 32 bits for it. Those of a NamespacedMultiClusterService have
// another shape, so that no team can find a name that takes the place of a platform's set.
func digest(o Owner) string {
	if o.Kind == statev1.SubjectMultiClusterService {
		sum := sha256.Sum256([]byte(o.Name))
		return hex.EncodeToString(sum[:4])
	}
	sum := sha256.Sum256([]byte(string(o.Kind) + "/" + o.Namespace + "/" + o.Name))
	return "n" + hex.EncodeToString(sum[:8])
}

// OwnerOfSet says whose services a ServiceSet has; ok is false for those of a
// ClusterDeployment.
func OwnerOfSet(set *kcm.ServiceSet) (_ Owner, ok bool) {
	switch {
	case set.Spec.MultiClusterService != "":
		return Owner{Kind: statev1.SubjectMultiClusterService, Name: set.Spec.MultiClusterService}, true
	case set.Spec.NamespacedMultiClusterService != "":
		return Owner{Kind: statev1.SubjectNamespaced, Namespace: set.Namespace, Name: set.Spec.NamespacedMultiClusterService}, true
	}
	return Owner{}, false
}

// TargetOfSet is the target of a ServiceSet, without labels.
func TargetOfSet(set *kcm.ServiceSet) Target {
	if set.Spec.Provider.SelfManagement || set.Spec.Cluster == "" {
		return Management()
	}
	return Target{Cluster: types.NamespacedName{Namespace: set.Namespace, Name: set.Spec.Cluster}}
}
