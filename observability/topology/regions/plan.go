package regions

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// Decide says what has to be there for the region of a ConfigMap.
func Decide(cm *corev1.ConfigMap, saw Observed, in ensure.Inputs) (ensure.Plan, error) {
	if cm.Labels[kof.ClusterRoleLabel] != kof.RegionalRole {
		return ensure.Plan{Prune: true}, nil
	}
	p, err := decide(cm, saw, in)
	if err == nil {
		return p, nil
	}
	says, known := topology.Unready(err)
	if !known {
		return ensure.Plan{}, err
	}
	// Only the first of several regions with one name is one: what another made is let go of.
	return ensure.Plan{Says: says, Prune: says.Reason == topology.ReasonDuplicate}, nil
}

func decide(cm *corev1.ConfigMap, saw Observed, in ensure.Inputs) (ensure.Plan, error) {
	region, err := topology.ReadRegion(cm)
	if err != nil {
		return ensure.Plan{}, err
	}
	key := types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name}
	if first, ok := topology.First(region.NamespacedName, saw.Regions); ok && first.Config != key {
		return ensure.Plan{}, topology.Twice(region, first)
	}
	ref := control.ControlledBy(cm, corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	user := topology.User{Name: adminOf(cm, saw), For: ownerOf(key), Owner: &ref, Namespace: cm.Namespace, Cluster: region.Name}
	credential, again := topology.CredentialOf(saw.Secret).Next(topology.Rotation{
		Wish: cm.Annotations[topology.RotateAnnotation], Now: saw.Now, Grace: in.Settings.Grace, Generate: in.Generate,
	})
	p := ensure.Plan{
		Prune: true, Again: again, User: types.NamespacedName{Namespace: cm.Namespace, Name: user.Name}, Replaced: credential.Previous == "",
		Says: topology.Readiness{Status: metav1.ConditionTrue, Reason: topology.ReasonReady, Message: "Children may report to it"},
	}
	p.Make, err = wanted(cm, saw, in, told{region, user, credential})
	return p, err
}

// told is what was found out about a region.
type told struct {
	region     topology.Region
	user       topology.User
	credential topology.Credential
}

func wanted(cm *corev1.ConfigMap, saw Observed, in ensure.Inputs, t told) ([]ensure.Wanted, error) {
	u, s := t.user, in.Settings
	regionless := topology.OfEverybody(cm, s.Self)
	out := []ensure.Wanted{{Object: u.Secret(kof.Namespace, t.credential)}}
	if cm.Namespace != kof.Namespace {
		out = append(out, ensure.Wanted{Object: u.Secret(cm.Namespace, t.credential)})
	}
	for _, o := range u.Objects(s.Backends, t.credential) {
		out = append(out, ensure.Wanted{Object: o})
	}
	if saw.Cluster != nil && !regionless {
		m, err := u.Propagate(s, t.region, t.credential)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, ensure.Wanted{Object: m})
		}
	}
	reader := topology.Reader{For: u.For, Owner: u.Owner, Region: t.region, User: u.Name, Regionless: regionless}
	group, err := reader.ServerGroup()
	if err != nil {
		return nil, err
	}
	connections, err := reader.Connections(s)
	if err != nil {
		return nil, err
	}
	out = append(out, either(group, u.For))
	for _, c := range connections {
		out = append(out, either(c, u.For))
	}
	rules := topology.RecordRulesConfig(t.region, u.For, u.Owner)
	out = append(out, ensure.Wanted{Object: rules})
	if saw.Cluster != nil && saw.Cluster.Labels[kof.KCMRegionClusterLabel] == kcm.LabelTrue {
		to := topology.Forward{Name: topology.RulesPropagation(cm.Name), Config: rules.Name, For: u.For, To: t.region.NamespacedName}
		if m := topology.PropagateConfig(s, to); m != nil {
			out = append(out, either(m, u.For))
		}
	}
	return out, nil
}

// either is an object with a short hash in its name, and the name that it gets where another
// owner has the same hash.
func either(o client.Object, of topology.Owner) ensure.Wanted {
	return ensure.Wanted{Object: o, Otherwise: topology.Longer(o.GetName(), of)}
}
