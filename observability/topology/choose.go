package topology

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// Role is what a cluster does in telemetry.
type Role string

// The roles. None means that a cluster has nothing to do with telemetry.
const (
	None     Role = ""
	Regional Role = kof.RegionalRole
	Child    Role = kof.ChildRole
)

// RoleOf reads the role of a cluster from its labels.
func RoleOf(labels map[string]string) (Role, error) {
	switch role := Role(labels[kof.ClusterRoleLabel]); role {
	case None, Regional, Child:
		return role, nil
	default:
		return None, invalid(ReasonInvalid, "label %s is %q: expected %q or %q", kof.ClusterRoleLabel, role, Regional, Child)
	}
}

// Candidate is a region that a child may report to.
type Candidate struct {
	// Config is the region's ConfigMap, Created when it was made.
	Config  types.NamespacedName `json:"config"`
	Created time.Time            `json:"created,omitzero"`
	Region  Region               `json:"region"`
	// Regionless means that the management cluster is the region of all.
	Regionless bool `json:"regionless,omitempty"`
	// KCMRegion is the region, in Cluster API's sense, that the region's cluster lives in.
	KCMRegion string `json:"kcmRegion,omitempty"`
	// Problem is why the region cannot be used.
	Problem string `json:"problem,omitempty"`
}

// CandidateOf reads a candidate from a region's ConfigMap, where the management cluster is the region self.
func CandidateOf(cm *corev1.ConfigMap, self types.NamespacedName) Candidate {
	c := Candidate{
		Config:  types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name},
		Created: cm.CreationTimestamp.Time, Regionless: OfEverybody(cm, self),
	}
	var err error
	if c.Region, err = ReadRegion(cm); err != nil {
		c.Problem = fleet.Sentence(err)
	}
	return c
}

// OfEverybody says whether a ConfigMap makes the management cluster, which is the region self, the region of
// all. The label alone does not: whoever may write ConfigMaps in some namespace could else have the telemetry of
// everybody sent to a host of their choice.
func OfEverybody(cm metav1.Object, self types.NamespacedName) bool {
	return cm.GetLabels()[kof.RegionlessLabel] == kcm.LabelTrue &&
		self.Name != "" && cm.GetNamespace() == self.Namespace && cm.GetName() == RegionConfig(self.Name)
}

// Older orders candidates: whoever was there first wins, and then the name.
func Older(a, b Candidate) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Config.Namespace, b.Config.Namespace), cmp.Compare(a.Config.Name, b.Config.Name))
}

// First is the candidate that has a region's name by right: of several with the same name and
// namespace, the oldest.
func First(region types.NamespacedName, all []Candidate) (Candidate, bool) {
	var found []Candidate
	for _, c := range all {
		if c.Region.NamespacedName == region {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return Candidate{}, false
	}
	return slices.MinFunc(found, Older), true
}

// Wish is what a child says about the region that it wants, and which one it has.
type Wish struct {
	Child types.NamespacedName `json:"child"`
	Place Place                `json:"place"`
	// Name and Namespace are what its labels say.
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// KCMRegion is the region, in Cluster API's sense, that the child lives in.
	KCMRegion string `json:"kcmRegion,omitempty"`
	// Current is the region that it reports to; empty if it reports to none.
	Current types.NamespacedName `json:"current,omitzero"`
}

// WishOf reads the wish of a child at its place. config is its ConfigMap, nil if it has none.
func WishOf(d *kcm.ClusterDeployment, at Place, config *corev1.ConfigMap) Wish {
	w := Wish{
		Child: types.NamespacedName{Namespace: d.Namespace, Name: d.Name}, Place: at, KCMRegion: d.Status.Region,
		Name: d.Labels[kof.RegionalClusterNameLabel], Namespace: d.Labels[kof.RegionalClusterNamespaceLabel],
	}
	if config != nil {
		w.Current = types.NamespacedName{Namespace: config.Data[keyNamespace], Name: config.Data[keyName]}
	}
	return w
}

// Reach is how far a child may look for its region.
type Reach string

// How far a child may look.
const (
	// OwnNamespace are the regions beside the child, and a management cluster that is the only one.
	OwnNamespace Reach = "OwnNamespace"
	// AllNamespaces are all regions.
	AllNamespaces Reach = "AllNamespaces"
)

// Choose returns the region that a child reports to. What it names, it gets; else the region that
// it has, as long as it fits; else the oldest that holds its place; else the management cluster where that is
// the only region. A child never moves from one region to another unless its labels say so.
func Choose(w Wish, reach Reach, all []Candidate) (Candidate, error) {
	if w.Namespace != "" && w.Namespace != w.Child.Namespace && reach != AllNamespaces {
		return Candidate{}, invalid(ReasonInvalid, "label %s is %q, and regions of other namespaces are out of reach here: leave it empty, or allow regions across namespaces",
			kof.RegionalClusterNamespaceLabel, w.Namespace)
	}
	chosen, err := choose(w, reach, all)
	switch {
	case err != nil:
		return Candidate{}, err
	case chosen.Problem != "":
		return Candidate{}, notYet(ReasonRegionNotReady, "region %s (ConfigMap %s) cannot be used: %s", chosen.Region.Name, chosen.Config, chosen.Problem)
	case w.KCMRegion != "" && !chosen.Regionless && chosen.KCMRegion != w.KCMRegion:
		return Candidate{}, invalid(ReasonNoRegion, "the cluster lives in region %q, and the store of %s in region %q: choose a store of the same region by the label %s",
			w.KCMRegion, chosen.Region.Name, chosen.KCMRegion, kof.RegionalClusterNameLabel)
	}
	return chosen, nil
}

func choose(w Wish, reach Reach, all []Candidate) (Candidate, error) {
	if w.Name != "" {
		named := types.NamespacedName{Namespace: cmp.Or(w.Namespace, w.Child.Namespace), Name: w.Name}
		if c, ok := First(named, all); ok {
			return c, nil
		}
		return Candidate{}, notYet(ReasonNoRegion, "region %s does not exist, which the label %s names: give a ClusterDeployment of that name the label %s=%s, or write the ConfigMap of the region; there are [%s]",
			named, kof.RegionalClusterNameLabel, kof.ClusterRoleLabel, Regional, names(w, reach, all))
	}
	fits := within(w, reach, all)
	if w.Current.Name != "" {
		if c, ok := First(w.Current, fits); ok {
			return c, nil
		}
		return Candidate{}, invalid(ReasonRegionMoved, "the cluster reports to region %s, which does not fit any more (it is gone, or elsewhere than %s): name the region to move to in the label %s",
			w.Current, w.Place, kof.RegionalClusterNameLabel)
	}
	if len(fits) > 0 {
		return fits[0], nil
	}
	return Candidate{}, notYet(ReasonNoRegion, "no region is at %s: name one in the label %s; there are [%s]", w.Place, kof.RegionalClusterNameLabel, names(w, reach, all))
}

// within are the regions that a child may report to without naming one, the best first: those at
// its place before the management cluster, the oldest before the others. A region whose name another one has is
// none.
func within(w Wish, reach Reach, all []Candidate) []Candidate {
	var here, anywhere []Candidate
	for _, c := range slices.SortedFunc(slices.Values(all), Older) {
		first, _ := First(c.Region.NamespacedName, all)
		switch {
		case first.Config != c.Config:
		case c.Regionless:
			anywhere = append(anywhere, c)
		case reach != AllNamespaces && c.Region.Namespace != w.Child.Namespace:
		case w.KCMRegion != "" && c.KCMRegion != w.KCMRegion:
		case c.Region.Place.Holds(w.Place):
			here = append(here, c)
		}
	}
	return append(here, anywhere...)
}

// names are the regions in a child's reach: what others have is not for its owner to know.
func names(w Wish, reach Reach, all []Candidate) string {
	var out []string
	for _, c := range all {
		if c.Regionless || reach == AllNamespaces || c.Config.Namespace == w.Child.Namespace {
			out = append(out, c.Region.NamespacedName.String())
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}
