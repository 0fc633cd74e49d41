package topology

import (
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
)

// Propagate brings a user to its region. It is nil where there is nothing to bring it with.
//
// k0rdent keeps services on clusters that are not selected any more. Here they go: a user that
// changes its region must not keep its access to the one before. And it brings users to the
// namespace that their cluster has here; ours are beside the region's stores, so that what lets them
// in need not read the Secrets of all namespaces.
func (u User) Propagate(s Settings, to Region, c Credential) (*kcm.MultiClusterService, error) {
	if s.Template == "" {
		return nil, nil
	}
	m := propagation(UserPropagation(u.Name), u.For, u.labels())
	m.Annotations[UserAnnotation] = u.Name
	m.Spec.ClusterSelector = regionSelector(s, to.NamespacedName)
	if m.Spec.DependsOn = nonEmpty(s.RegionalService); to.IstioRole != "" {
		m.Spec.DependsOn = nonEmpty(s.IstioRegionalService)
	}
	m.Spec.ServiceSpec.Provider.Config = quoting("secret", kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: u.Namespace, Name: Credentials(u.Name)})
	for _, o := range u.Objects(s.Backends, c) {
		o.SetOwnerReferences(nil)
		o.SetAnnotations(nil)
		o.SetNamespace(kof.Namespace)
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, fmt.Errorf("writing VMUser %s: %w", o.GetName(), err)
		}
		m.Spec.ServiceSpec.Services = append(m.Spec.ServiceSpec.Services, s.service(o.GetName(), kof.Namespace, string(text)))
	}
	m.Spec.ServiceSpec.Services = append(m.Spec.ServiceSpec.Services, s.service(Credentials(u.Name), kof.Namespace, u.secretText(c)))
	return m, nil
}

// secretText is the user's Secret as text in which the engine fills in the passwords, so that they
// stand in no MultiClusterService.
func (u User) secretText(c Credential) string {
	keys := []string{UsernameKey, PasswordKey}
	if c.Previous != "" {
		keys = append(keys, PreviousKey)
	}
	var b strings.Builder
	// Names may look like numbers and truths: "n" is one.
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %q\n  namespace: %s\n  annotations:\n    %s: %q\n    %s: %q\n  labels:\n",
		Credentials(u.Name), kof.Namespace, ForAnnotation, u.For.String(), UserAnnotation, u.Name)
	for _, line := range sortedLines(u.labels()) {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	b.WriteString("data:\n")
	for _, key := range keys {
		fmt.Fprintf(&b, "  %s: \"{{ getField \"secret\" \"data.%s\" }}\"\n", key, key)
	}
	return b.String()
}

// Forward is a ConfigMap that a cluster has to have that runs Cluster API for others, to install what
// reads it.
type Forward struct {
	// Name is that of the MultiClusterService, Config that of the ConfigMap.
	Name, Config string
	For          Owner
	// To is the ClusterDeployment of that cluster. Its label alone, by which KOF chooses it, anybody may write.
	To types.NamespacedName
}

// PropagateConfig brings a ConfigMap to the cluster. It is nil where there is nothing to bring it with.
func PropagateConfig(s Settings, f Forward) *kcm.MultiClusterService {
	of := f.For
	if s.Template == "" || f.To.Name == "" {
		return nil
	}
	m := propagation(f.Name, of, generated(map[string]string{kof.ClusterLabel: of.Name, kof.ClusterNamespaceLabel: of.Namespace}))
	m.Spec.ClusterSelector = metav1.LabelSelector{MatchLabels: map[string]string{
		kof.KCMRegionClusterLabel: kcm.LabelTrue, kof.ClusterNameLabel: f.To.Name, NamespaceLabel: f.To.Namespace,
	}}
	m.Spec.ServiceSpec.Provider.Config = quoting("config", kcm.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: of.Namespace, Name: f.Config})
	text := `{{ removeField "config" "metadata.ownerReferences" | nindent 4 }}`
	service := s.service(hashed("kof-child-config", of.Namespace+"/"+of.Name), of.Namespace, "")
	service.Values = "propagation:\n  enabled: true\n  data: |" + text + "\n"
	m.Spec.ServiceSpec.Services = []kcm.Service{service}
	return m
}

// quoting is the configuration of services whose values quote an object by an identifier.
func quoting(identifier string, object kcm.ObjectReference) *kcm.JSON {
	refs := []kcm.TemplateResourceRef{{Identifier: identifier, Resource: object}}
	raw, _ := json.Marshal(map[string]any{"templateResourceRefs": refs}) // texts can always be written
	return &kcm.JSON{Raw: raw}
}

func propagation(name string, of Owner, labels map[string]string) *kcm.MultiClusterService {
	return &kcm.MultiClusterService{
		TypeMeta:   metav1.TypeMeta{APIVersion: kcm.GroupVersion.String(), Kind: kcm.MultiClusterServiceKind},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{ForAnnotation: of.String()}},
	}
}

// regionSelector chooses the ClusterDeployment of a region. By its name alone it would choose those of
// all namespaces.
func regionSelector(s Settings, region types.NamespacedName) metav1.LabelSelector {
	match := map[string]string{kof.ClusterNameLabel: region.Name, NamespaceLabel: region.Namespace}
	if s.Version != "" {
		match[kof.VersionLabel] = s.Version
	}
	return metav1.LabelSelector{MatchLabels: match}
}

// service is a service that renders a text as it is, in a namespace of the cluster.
func (s Settings) service(name, namespace, text string) kcm.Service {
	indented := strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
	return kcm.Service{
		Name: name, Namespace: namespace, Template: s.Template,
		Values: "propagation:\n  enabled: true\n  data: |\n    " + indented + "\n",
		HelmOptions: &kcm.ServiceHelmOptions{
			InstallOptions: &kcm.HelmInstallOptions{TakeOwnership: true},
			UpgradeOptions: &kcm.HelmUpgradeOptions{TakeOwnership: true},
		},
	}
}

func nonEmpty(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
