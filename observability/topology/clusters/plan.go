package clusters

import (
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// Decide says what has to be there for a cluster that is not on its way out.
func Decide(d *kcm.ClusterDeployment, saw Observed, in ensure.Inputs) (ensure.Plan, error) {
	role, err := topology.RoleOf(d.Labels)
	var p ensure.Plan
	switch {
	case err != nil:
	case role == topology.Regional:
		p, err = region(d, saw, in)
	case role == topology.Child:
		p, err = child(d, saw, in)
	default:
		return ensure.Plan{Prune: true}, nil
	}
	if err == nil {
		return p, nil
	}
	says, known := topology.Unready(err)
	if !known {
		return ensure.Plan{}, err
	}
	return ensure.Plan{Says: says}, nil
}

func region(d *kcm.ClusterDeployment, saw Observed, in ensure.Inputs) (ensure.Plan, error) {
	found, err := regionOf(d, saw)
	if err != nil {
		return ensure.Plan{}, err
	}
	ref := control.ControlledBy(d, kcm.GroupVersion.WithKind(kcm.ClusterDeploymentKind))
	of := ownerOf(types.NamespacedName{Namespace: d.Namespace, Name: d.Name})
	p := ensure.Plan{Says: verdict(saw)}
	if in.Issue != nil {
		stores, again, err := in.Issue(topology.StoresOf(saw.Stores), found.Names(), saw.Now)
		if err != nil {
			return ensure.Plan{}, err
		}
		if stores.Password == "" {
			stores.Password = in.Generate()
		}
		found.Authority, p.Again = string(stores.Authority), again
		p.Make = append(p.Make, ensure.Wanted{Object: stores.Secret(of, &ref)})
	}
	if saw.Config != nil && topology.UserOwned(saw.Config) {
		// Whatever it says is what its user wants.
		return p, nil
	}
	config := topology.Config{For: of, Owner: &ref, Role: topology.Regional, Region: found, Rotate: d.Annotations[topology.RotateAnnotation]}
	p.Make, p.Prune = append(p.Make, ensure.Wanted{Object: config.ConfigMap()}), true
	return p, nil
}

// regionOf is the region that a cluster is: by what its user has written into its ConfigMap, or by
// its ClusterDeployment.
func regionOf(d *kcm.ClusterDeployment, saw Observed) (topology.Region, error) {
	if saw.Config != nil && topology.UserOwned(saw.Config) {
		// What is wrong with it is said there.
		r, _ := topology.ReadRegion(saw.Config)
		return r, nil
	}
	at, err := place(d, saw)
	if err != nil {
		return topology.Region{}, err
	}
	return topology.RegionOf(d, at, saw.Here)
}

// verdict is what the controller of regions says about the region's ConfigMap.
func verdict(saw Observed) topology.Readiness {
	if saw.Config != nil {
		if r, said := topology.ReadinessOf(saw.Config); said {
			return r
		}
	}
	return topology.Readiness{Status: metav1.ConditionUnknown, Reason: topology.ReasonRegionNotReady, Message: "The ConfigMap of the region was not looked at yet"}
}

func place(d *kcm.ClusterDeployment, saw Observed) (topology.Place, error) {
	if !saw.Template {
		return topology.Place{}, topology.NoTemplate(d.Spec.Template)
	}
	cloud, err := topology.CloudOf(saw.Providers)
	return topology.PlaceOf(cloud, d.Spec.Config), err
}

func child(d *kcm.ClusterDeployment, saw Observed, in ensure.Inputs) (ensure.Plan, error) {
	at, err := place(d, saw)
	if err != nil && !named(d, err) {
		return ensure.Plan{}, err
	}
	tenant, err := topology.Tenant(d.Labels, saw.NamespaceTenant)
	if err != nil {
		return ensure.Plan{}, err
	}
	to, err := topology.Choose(topology.WishOf(d, at, saw.Config), in.Settings.Reach, saw.Regions)
	if err != nil {
		return ensure.Plan{}, err
	}
	key := types.NamespacedName{Namespace: d.Namespace, Name: d.Name}
	ref := control.ControlledBy(d, kcm.GroupVersion.WithKind(kcm.ClusterDeploymentKind))
	user := topology.User{Name: userOf(key, saw), For: ownerOf(key), Owner: &ref, Namespace: d.Namespace, Cluster: d.Name, Tenant: tenant}
	credential, again := topology.CredentialOf(saw.Secret).Next(topology.Rotation{
		Wish: d.Annotations[topology.RotateAnnotation], Now: saw.Now, Grace: in.Settings.Grace, Generate: in.Generate,
	})
	p := ensure.Plan{
		Prune: true, Again: again, Says: delivered(to, saw, in.Settings, user.Name),
		User: types.NamespacedName{Namespace: d.Namespace, Name: user.Name}, Replaced: credential.Previous == "",
	}
	p.Make, err = wanted(d, saw, in, told{to, user, credential})
	return p, err
}

// named says whether a place that is unknown does not matter, since the child names its region.
func named(d *kcm.ClusterDeployment, err error) bool {
	var r *topology.Refusal
	return errors.As(err, &r) && r.Reason == topology.ReasonUnknownCloud && d.Labels[kof.RegionalClusterNameLabel] != ""
}

// told is what was found out about a child.
type told struct {
	to         topology.Candidate
	user       topology.User
	credential topology.Credential
}

func wanted(d *kcm.ClusterDeployment, saw Observed, in ensure.Inputs, t told) ([]ensure.Wanted, error) {
	u := t.user
	// The Secret in kof comes first: whose it is decides who has the name.
	out := []ensure.Wanted{{Object: u.Secret(kof.Namespace, t.credential)}}
	if d.Namespace != kof.Namespace {
		out = append(out, ensure.Wanted{Object: u.Secret(d.Namespace, t.credential)})
	}
	for _, o := range u.Objects(in.Settings.Backends, t.credential) {
		out = append(out, ensure.Wanted{Object: o})
	}
	if deliverable(t.to, saw, in.Settings) {
		m, err := u.Propagate(in.Settings, t.to.Region, t.credential)
		if err != nil {
			return nil, err
		}
		out = append(out, ensure.Wanted{Object: m})
	}
	config := topology.Config{For: u.For, Owner: u.Owner, Role: topology.Child, User: u.Name, Region: t.to.Region}
	out = append(out, ensure.Wanted{Object: config.ConfigMap()})
	if d.Status.Region != "" {
		name := topology.ConfigPropagation(d.Name)
		if m := topology.PropagateConfig(in.Settings, topology.Forward{Name: name, Config: topology.ChildConfig(d.Name), For: u.For, To: saw.Parent}); m != nil {
			out = append(out, ensure.Wanted{Object: m, Otherwise: topology.Longer(name, u.For)})
		}
	}
	return out, nil
}

// deliverable says whether a user is brought to its region: a region that is not a cluster of
// this plane has to be told by hand, and the plane's own store knows already.
func deliverable(to topology.Candidate, saw Observed, s topology.Settings) bool {
	return s.Template != "" && !to.Regionless && saw.Deployed[to.Region.String()]
}

// delivered is how a child is doing: True once its region knows its user.
func delivered(to topology.Candidate, saw Observed, s topology.Settings, user string) topology.Readiness {
	ready := topology.Readiness{Status: metav1.ConditionTrue, Reason: topology.ReasonReady, Message: "Reports to region " + to.Region.String()}
	switch {
	case to.Regionless:
		return ready
	case !deliverable(to, saw, s):
		ready.Message += ", which has to be told of the user in Secret " + kof.Namespace + "/" + topology.Credentials(user) + " by hand: it is no cluster of this plane, or nothing brings users to regions"
		return ready
	case arrived(saw.Delivery, to.Region.NamespacedName):
		return ready
	}
	message := "The credentials are on their way to region " + to.Region.String() + " by MultiClusterService " + topology.UserPropagation(user)
	if saw.Delivery != nil {
		if c := control.Find(saw.Delivery.Status.Conditions, kcm.ReadyCondition); c != nil && c.Status == metav1.ConditionFalse && c.Message != "" {
			message += ": " + c.Message
		}
	}
	return topology.Readiness{Status: metav1.ConditionFalse, Reason: topology.ReasonDelivering, Message: message}
}

func arrived(m *kcm.MultiClusterService, region types.NamespacedName) bool {
	return m != nil && m.Status.ObservedGeneration == m.Generation && slices.ContainsFunc(m.Status.MatchingClusters, func(c kcm.MatchingCluster) bool {
		return c.Namespace == region.Namespace && c.Name == region.Name && c.Deployed
	})
}
