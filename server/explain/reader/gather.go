package reader

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/explain"
)

// cluster reads a ClusterDeployment with everything below it.
func (g *gathering) cluster(ctx context.Context, namespace, name string) error {
	d, err := g.get(ctx, kcmKind(kcm.ClusterDeploymentKind), namespace, name)
	if err != nil || d == nil {
		return err
	}
	if err := g.template(ctx, kcm.ClusterTemplateKind, namespace, text(d, "spec", "template")); err != nil {
		return err
	}
	if err := g.credential(ctx, namespace, text(d, "spec", "credential")); err != nil {
		return err
	}
	if err := g.releases(ctx, namespace, name); err != nil {
		return err
	}
	if err := g.clusterAPI(ctx, namespace, name); err != nil {
		return err
	}
	return g.services(ctx, namespace, name)
}

// template reads a template with its chart and the chart's source.
func (g *gathering) template(ctx context.Context, kind, namespace, name string) error {
	t, err := g.get(ctx, kcmKind(kind), namespace, name)
	if err != nil || t == nil {
		return err
	}
	for _, at := range [][]string{{"status", "chartRef"}, {"spec", "helm", "chartRef"}} {
		where := text(t, append(at, "namespace")...)
		if where == "" {
			where = namespace
		}
		chart, err := g.get(ctx, schema.GroupKind{Group: flux, Kind: text(t, append(at, "kind")...)}, where, text(t, append(at, "name")...))
		if err != nil {
			return err
		}
		if chart == nil {
			continue
		}
		source := schema.GroupKind{Group: flux, Kind: text(chart, "spec", "sourceRef", "kind")}
		_, err = g.get(ctx, source, where, text(chart, "spec", "sourceRef", "name"))
		return err
	}
	return nil
}

// credential reads a Credential with its identity.
func (g *gathering) credential(ctx context.Context, namespace, name string) error {
	c, err := g.get(ctx, kcmKind(kcm.CredentialKind), namespace, name)
	if err != nil || c == nil {
		return err
	}
	ref := func(field string) string { return text(c, "spec", "identityRef", field) }
	gk := schema.FromAPIVersionAndKind(ref("apiVersion"), ref("kind")).GroupKind()
	_, err = g.get(ctx, gk, ref("namespace"), ref("name"))
	return err
}

// clusterAPI reads what a cluster's release made, and what Cluster API made of it.
func (g *gathering) clusterAPI(ctx context.Context, namespace, release string) error {
	made := client.MatchingLabels{kcm.HelmReleaseNameLabel: release, kcm.HelmReleaseNamespaceLabel: namespace}
	if _, err := g.list(ctx, schema.GroupKind{Group: sveltos, Kind: "SveltosCluster"}, namespace, made); err != nil {
		return err
	}
	clusters, err := g.list(ctx, schema.GroupKind{Group: clusterAPI, Kind: "Cluster"}, namespace, made)
	if err != nil {
		return err
	}
	for i := range clusters {
		if err := g.clusterParts(ctx, &clusters[i]); err != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) clusterParts(ctx context.Context, cluster *unstructured.Unstructured) error {
	for _, path := range []string{"infrastructureRef", "controlPlaneRef"} {
		if err := g.referred(ctx, cluster, path); err != nil {
			return err
		}
	}
	of := client.MatchingLabels{kcm.CAPIClusterNameLabel: cluster.GetName()}
	for _, kind := range []string{"MachineDeployment", "MachineSet"} {
		if _, err := g.list(ctx, schema.GroupKind{Group: clusterAPI, Kind: kind}, cluster.GetNamespace(), of); err != nil {
			return err
		}
	}
	machines, err := g.list(ctx, schema.GroupKind{Group: clusterAPI, Kind: "Machine"}, cluster.GetNamespace(), of)
	if err != nil {
		return err
	}
	return g.machineParts(ctx, cluster.GetNamespace(), of, machines)
}

// machineParts reads the providers' objects of machines: one list for each kind, since a
// cluster may have many machines and has few kinds of them. Those that lack the label, or are
// gone from the list, are asked for one by one.
func (g *gathering) machineParts(ctx context.Context, namespace string, of client.MatchingLabels, machines []unstructured.Unstructured) error {
	kinds := map[schema.GroupKind]bool{}
	for i := range machines {
		for _, path := range machineRefs {
			if gk := referredKind(&machines[i], path...); gk.Kind != "" {
				kinds[gk] = true
			}
		}
	}
	for _, gk := range slices.SortedFunc(maps.Keys(kinds), func(a, b schema.GroupKind) int { return cmp.Compare(a.String(), b.String()) }) {
		if _, err := g.list(ctx, gk, namespace, of); err != nil {
			return err
		}
	}
	for i := range machines {
		for _, path := range machineRefs {
			gk, key := referredKind(&machines[i], path...), types.NamespacedName{Namespace: namespace, Name: referredName(&machines[i], path...)}
			if g.seen[gk][key] {
				continue
			}
			if _, err := g.get(ctx, gk, key.Namespace, key.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// machineRefs are where a Machine refers to objects of providers.
var machineRefs = [][]string{{"infrastructureRef"}, {"bootstrap", "configRef"}}

func (g *gathering) referred(ctx context.Context, o *unstructured.Unstructured, path ...string) error {
	_, err := g.get(ctx, referredKind(o, path...), o.GetNamespace(), referredName(o, path...))
	return err
}

func referredKind(o *unstructured.Unstructured, path ...string) schema.GroupKind {
	at := append([]string{"spec"}, path...)
	group := text(o, append(at, "apiGroup")...)
	if group == "" { // before v1beta2 a reference had a version
		group = schema.FromAPIVersionAndKind(text(o, append(at, "apiVersion")...), "").Group
	}
	return schema.GroupKind{Group: group, Kind: text(o, append(at, "kind")...)}
}

func referredName(o *unstructured.Unstructured, path ...string) string {
	return text(o, append(append([]string{"spec"}, path...), "name")...)
}

// machine reads one Machine with what it is made of, and its node.
func (g *gathering) machine(ctx context.Context, namespace, name string) error {
	m, err := g.get(ctx, schema.GroupKind{Group: clusterAPI, Kind: "Machine"}, namespace, name)
	if err != nil || m == nil {
		return err
	}
	for _, path := range machineRefs {
		if err := g.referred(ctx, m, path...); err != nil {
			return err
		}
	}
	g.child(ctx, types.NamespacedName{Namespace: namespace, Name: text(m, "spec", "clusterName")}, nil)
	return nil
}

// ChildKinds are what is looked at in the namespaces of services on a child cluster.
func ChildKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "apps", Version: "v1", Kind: "StatefulSet"},
		{Group: "apps", Version: "v1", Kind: "DaemonSet"}, {Group: "batch", Version: "v1", Kind: "Job"}, {Version: "v1", Kind: "Pod"},
	}
}

// child looks at a child cluster: its nodes, and what runs in the given namespaces. What goes
// wrong is what there is to say of it.
func (g *gathering) child(ctx context.Context, key types.NamespacedName, places map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	c := explain.Child{Namespace: key.Namespace, Name: key.Name}
	if err := g.look(ctx, &c, key, places); err != nil {
		c.Problem, c.Objects = problem(err), nil
	}
	g.out.Children = append(g.out.Children, c)
}

func (g *gathering) look(ctx context.Context, c *explain.Child, key types.NamespacedName, places map[string]bool) error {
	kube, err := g.children(ctx, key)
	if err != nil {
		return err
	}
	add := func(gvk schema.GroupVersionKind, options ...client.ListOption) error {
		found := &unstructured.UnstructuredList{}
		found.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := kube.List(ctx, found, options...); err != nil {
			return err
		}
		c.Objects = append(c.Objects, found.Items...)
		return nil
	}
	if err := add(schema.GroupVersionKind{Version: "v1", Kind: "Node"}); err != nil {
		return err
	}
	for _, namespace := range slices.Sorted(maps.Keys(places)) {
		for _, gvk := range ChildKinds() {
			if err := add(gvk, client.InNamespace(namespace)); err != nil {
				return err
			}
		}
	}
	return nil
}

func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}
