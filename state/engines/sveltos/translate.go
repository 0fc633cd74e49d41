package sveltos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

var (
	profileKind        = schema.GroupVersionKind{Group: "config.projectsveltos.io", Version: "v1beta1", Kind: "Profile"}
	clusterProfileKind = schema.GroupVersionKind{Group: "config.projectsveltos.io", Version: "v1beta1", Kind: "ClusterProfile"}
	summaryKind        = schema.GroupVersionKind{Group: "config.projectsveltos.io", Version: "v1beta1", Kind: "ClusterSummary"}
	sveltosClusterKind = schema.GroupVersionKind{Group: "lib.projectsveltos.io", Version: "v1beta1", Kind: "SveltosCluster"}
	clusterKind        = schema.GroupVersionKind{Group: "cluster.x-k8s.io", Version: "v1beta2", Kind: "Cluster"}
	carrierKind        = schema.GroupVersionKind{Group: "source.toolkit.fluxcd.io", Version: "v1", Kind: "OCIRepository"}
)

const (
	// setLabel says of a release's record which ServiceSet it belongs to, and of a carrier which
	// Profile.
	setLabel = "portico.dev/serviceset"
	// targetLabel says which cluster a Profile is for.
	targetLabel = "portico.dev/target"
	// managedLabel is k0rdent's label of what it makes.
	managedLabel = "k0rdent.mirantis.com/managed"
	// pausedAnnotation has Sveltos leave a Profile alone.
	pausedAnnotation = "profile.projectsveltos.io/paused"
	profileLabel     = "projectsveltos.io/profile-name"
	clusterLabel     = "projectsveltos.io/cluster-profile-name"
	summaryLabel     = "projectsveltos.io/cluster-name"
	// driftIgnored is the annotation of objects that drift detection leaves out.
	driftIgnored = "projectsveltos.io/driftDetectionIgnore"

	opening = "{{"
)

// managementCluster is how Sveltos calls the management cluster.
var managementCluster = types.NamespacedName{Namespace: "mgmt", Name: "mgmt"}

// address is where a set stands in Sveltos' world.
type address struct {
	set     types.NamespacedName
	target  engine.Target
	sveltos bool // a SveltosCluster, not Cluster API's
}

func (a address) cluster() types.NamespacedName {
	if a.target.Management {
		return managementCluster
	}
	return a.target.Cluster
}

// profile is the kind and name of the set's Profile.
func (a address) profile() (schema.GroupVersionKind, types.NamespacedName) {
	if a.target.Management {
		return clusterProfileKind, types.NamespacedName{Name: a.set.Name}
	}
	return profileKind, a.set
}

// mark is that of the Profile on what is made for it alone. A ServiceSet has one for its cluster
// and another one for the management cluster.
func (a address) mark() string {
	_, name := a.profile()
	return ownerOf(name)
}

// summary is the name of the set's ClusterSummary.
func (a address) summary() types.NamespacedName {
	prefix, kind := "p--", "capi"
	if a.target.Management {
		prefix = ""
	}
	if a.sveltos {
		kind = "sveltos"
	}
	c := a.cluster()
	return types.NamespacedName{Namespace: c.Namespace, Name: fmt.Sprintf("%s%s-%s-%s", prefix, a.set.Name, kind, c.Name)}
}

func (a address) clusterRef() map[string]any {
	kind := clusterKind
	if a.sveltos {
		kind = sveltosClusterKind
	}
	c := a.cluster()
	return map[string]any{"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind, "namespace": c.Namespace, "name": c.Name}
}

// setOf says which set a Profile or ClusterSummary belongs to; the namespace is empty where
// Sveltos does not say it.
func setOf(obj metav1.Object) types.NamespacedName {
	labels := obj.GetLabels()
	switch {
	case labels[profileLabel] != "":
		return types.NamespacedName{Namespace: obj.GetNamespace(), Name: labels[profileLabel]}
	case labels[clusterLabel] != "":
		return types.NamespacedName{Name: labels[clusterLabel]}
	}
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// ownerOf is the mark of an object on what was made for it: a name can be longer than a label.
func ownerOf(what types.NamespacedName) string {
	sum := sha256.Sum256([]byte(what.String()))
	return hex.EncodeToString(sum[:16])
}

// wish is a service as its release shall be.
type wish struct {
	digest  string
	version string
	entry   entry
	carrier carrier
}

// entry is one chart of a Profile, in Sveltos' words.
type entry map[string]any

func (e entry) key() engine.Key {
	namespace, _ := e["releaseNamespace"].(string)
	name, _ := e["releaseName"].(string)
	return engine.Key{Namespace: namespace, Name: name}
}

func (e entry) leaving() bool { return e["helmChartAction"] == "Uninstall" }

// carrier is the object by which Sveltos finds the archive of a chart, with the values that go
// with it.
type carrier struct {
	name   types.NamespacedName
	source engine.Source
	values kept
}

// made is what a release is made from.
type made struct {
	chart   *helm.Chart
	values  helm.Values
	patches []engine.Patch
}

// translate says a wish in Sveltos' words.
func translate(at address, svc engine.Service, from made) (wish, error) {
	chart := from.chart
	values, err := keptValues(at, svc.Key, from.values)
	if err != nil {
		return wish{}, err
	}
	w := wish{version: chart.Version(), digest: from.digest(svc.Options.Upgrade), carrier: carrierOf(at, svc.Source)}
	w.carrier.values = values
	w.entry = entry{
		"repositoryURL": fmt.Sprintf("ocirepository://%s/%s/%s", w.carrier.name.Namespace, w.carrier.name.Name, folderOf(svc.Source, chart)),
		"chartName":     chart.Name(), "repositoryName": chart.Name(), "chartVersion": chart.Version(),
		"releaseNamespace": svc.Key.Namespace, "releaseName": svc.Key.Name,
		"helmChartAction": "Install", "values": "", "valuesFrom": values.valuesFrom(),
		"options": optionsOf(svc.Options, at.set, w.digest),
	}
	return w, nil
}

// folderOf is where the chart is in its unpacked archive.
func folderOf(from engine.Source, chart *helm.Chart) string {
	if from.Path != "" {
		return strings.Trim(from.Path, "/")
	}
	return chart.Name()
}

func carrierOf(at address, from engine.Source) carrier {
	sum := sha256.Sum256([]byte(at.mark() + " " + from.Digest))
	namespace := at.set.Namespace
	return carrier{name: types.NamespacedName{Namespace: namespace, Name: "sveltos-" + hex.EncodeToString(sum[:12])}, source: from}
}

// digest identifies what a release is made from.
func (m made) digest(up engine.UpgradeOptions) string {
	// Strings, numbers and lists of them always encode.
	data, _ := json.Marshal([]any{m.chart.Digest(), m.values.Digest(), m.patches, up.ReuseValues, up.ResetThenReuseValues})
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// inertPatch is a patch so that Sveltos finds no template in it: in JSON, two opening braces stand
// side by side only within a text.
func inertPatch(patch string) string {
	if !strings.Contains(patch, opening) {
		return patch
	}
	data, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		return patch // it is no patch, and Sveltos says so
	}
	return strings.ReplaceAll(string(data), opening, `\u007b\u007b`)
}

func optionsOf(o engine.Options, set types.NamespacedName, digest string) map[string]any {
	labels := map[string]any{}
	for name, value := range o.Labels {
		labels[name] = value
	}
	labels[setLabel], labels[helm.DigestLabel] = ownerOf(set), digest
	return map[string]any{
		"wait": o.Wait, "waitForJobs": o.WaitForJobs, "atomic": o.Atomic, "timeout": timeout(o.Timeout),
		"skipCRDs": o.SkipCRDs, "skipSchemaValidation": o.SkipSchemaValidation, "disableHooks": o.DisableHooks,
		"disableOpenAPIValidation": o.DisableOpenAPIChecks, "dependencyUpdate": o.DependencyBump,
		"labels": labels, "description": o.Description,
		"installOptions": map[string]any{
			"createNamespace": o.CreateNamespace, "disableHooks": o.Install.DisableHooks, "takeOwnership": o.Install.TakeOwnership,
			// What was removed with its history kept could never come back without it.
			"replace": true,
		},
		"upgradeOptions": map[string]any{
			"force": o.Upgrade.Force, "resetValues": o.Upgrade.ResetValues, "reuseValues": o.Upgrade.ReuseValues,
			"resetThenReuseValues": o.Upgrade.ResetThenReuseValues, "cleanupOnFail": o.Upgrade.CleanupOnFail,
			"subNotes": o.Upgrade.SubNotes, "upgradeCRDs": o.Upgrade.UpgradeCRDs, "disableHooks": o.Upgrade.DisableHooks,
			"takeOwnership": o.Upgrade.TakeOwnership, "maxHistory": maxHistory(o.Upgrade.MaxHistory),
		},
		"uninstallOptions": uninstallOptions(o.Uninstall),
	}
}

func uninstallOptions(o engine.UninstallOptions) map[string]any {
	out := map[string]any{"keepHistory": o.KeepHistory, "disableHooks": o.DisableHooks}
	if o.Propagation != "" {
		out["deletionPropagation"] = strings.ToLower(o.Propagation)
	}
	return out
}

func timeout(d time.Duration) string {
	if d <= 0 {
		d = 5 * time.Minute
	}
	return d.String()
}

// maxHistory says "all" as Sveltos can hear it: to it, zero is one.
func maxHistory(n int) int64 {
	if n <= 0 {
		return math.MaxInt32
	}
	return int64(n)
}

// withdrawn is an entry whose release shall go.
func withdrawn(e entry, o *engine.Options) entry {
	out := relabelled(e, o)
	out["helmChartAction"] = "Uninstall"
	return out
}

// relabelled is an entry whose release is removed in another way.
func relabelled(e entry, o *engine.Options) entry {
	out := maps.Clone(e)
	if o == nil {
		return out
	}
	options, _ := out["options"].(map[string]any)
	options = maps.Clone(options)
	if options == nil {
		options = map[string]any{}
	}
	options["uninstallOptions"] = uninstallOptions(o.Uninstall)
	out["options"] = options
	return out
}

func keepsHistory(e entry) bool {
	kept, _, _ := unstructured.NestedBool(e, "options", "uninstallOptions", "keepHistory")
	return kept
}

// digestIn is the digest of what an entry asks for.
func (e entry) digest() string {
	digest, _, _ := unstructured.NestedString(e, "options", "labels", helm.DigestLabel)
	return digest
}

func (p plan) charts() []any {
	charts := make([]any, len(p.entries))
	for i, e := range p.entries {
		charts[i] = map[string]any(e)
	}
	return charts
}

// profileOf is the whole Profile of a set, ready to be applied.
func profileOf(at address, policy engine.Policy, p plan) *unstructured.Unstructured {
	kind, name := at.profile()
	spec := map[string]any{
		"clusterRefs":          []any{at.clusterRef()},
		"syncMode":             syncMode(policy.Sync),
		"tier":                 tierOf(policy),
		"continueOnConflict":   !policy.StopOnConflict,
		"continueOnError":      !policy.StopOnError,
		"stopMatchingBehavior": stopMatching(policy),
		"reloader":             policy.Reload,
		"helmCharts":           p.charts(),
	}
	if policy.MaxFailures > 0 {
		spec["maxConsecutiveFailures"] = int64(policy.MaxFailures)
	}
	if patches := patchesOf(policy); len(patches) > 0 {
		spec["patches"] = patches
	}
	if exclusions := exclusionsOf(policy.DriftExcluded); len(exclusions) > 0 {
		spec["driftExclusions"] = exclusions
	}
	metadata := map[string]any{"name": name.Name, "labels": map[string]any{
		managedLabel: "true", setLabel: ownerOf(at.set), targetLabel: ownerOf(at.cluster()),
	}}
	if name.Namespace != "" {
		metadata["namespace"] = name.Namespace
	}
	if p.paused {
		metadata["annotations"] = map[string]any{pausedAnnotation: "true"}
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "spec": spec}}
	obj.SetGroupVersionKind(kind)
	return obj
}

const (
	// band is how many priorities each of both bands below the platform has.
	band = 1 << 30
	// reserve is how many tiers each of both bands has.
	reserve = 1 << 20
)

// tierOf is a priority in Sveltos' words: the lower tier goes before. There are twice as many
// priorities as tiers, from 1 to 2^31-1. So the last tiers are reserved for the bands that the
// platform wins against, 2^20 for each, and k0rdent's tier of the platform's, 2^31-1 less the
// priority, comes 2^21 earlier:
//
//	platform    1 and more    up to 2^31-2-2^21, which has tier 1 as all above it
//	namespaced  below 1       those of a team that wrote 2^20-1 or more have one tier
//	yielding    below -2^30   likewise
//
// Priorities of different bands never have one tier.
func tierOf(p engine.Policy) int64 {
	priority := int64(p.Priority)
	switch {
	case priority >= 1:
		return max(math.MaxInt32-2*reserve-priority, 1)
	case priority > -band:
		return math.MaxInt32 - reserve - min(priority+band, reserve-1)
	}
	return math.MaxInt32 - min(priority+2*band, reserve-1)
}

// syncMode: installing once is the engine's own doing, since Sveltos would not hear of what is
// handed over later.
func syncMode(m engine.SyncMode) string {
	if m == engine.ContinuousWithDriftDetection {
		return "ContinuousWithDriftDetection"
	}
	return "Continuous"
}

// What Sveltos does with what it has installed when a Profile goes.
const (
	leavePolicies    = "LeavePolicies"
	withdrawPolicies = "WithdrawPolicies"
)

func stopMatching(p engine.Policy) string {
	if p.LeaveOnRemove {
		return leavePolicies
	}
	return withdrawPolicies
}

func patchesOf(p engine.Policy) []any {
	var out []any
	for _, patch := range p.Patches {
		out = append(out, map[string]any{"patch": inertPatch(patch.Patch), "target": selectorOf(patch.Target)})
	}
	for _, s := range p.DriftIgnored {
		patch := fmt.Sprintf("- op: add\n  path: /metadata/annotations/%s\n  value: ok\n", strings.ReplaceAll(driftIgnored, "/", "~1"))
		out = append(out, map[string]any{"patch": patch, "target": selectorOf(s)})
	}
	return out
}

func exclusionsOf(exclusions []engine.Exclusion) []any {
	var out []any
	for _, x := range exclusions {
		paths := make([]any, len(x.Paths))
		for i, p := range x.Paths {
			paths[i] = p
		}
		out = append(out, map[string]any{"paths": paths, "target": selectorOf(x.Target)})
	}
	return out
}

func selectorOf(s engine.Selector) map[string]any {
	out := map[string]any{}
	for name, value := range map[string]string{
		"group": s.Group, "version": s.Version, "kind": s.Kind, "namespace": s.Namespace, "name": s.Name,
		"labelSelector": s.LabelSelector, "annotationSelector": s.AnnotationSelector,
	} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// carrierObject is a source that nobody fetches: its artifact is known.
func carrierObject(at address, c carrier) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{
			"name": c.name.Name, "namespace": c.name.Namespace,
			"labels": map[string]any{managedLabel: "true", setLabel: at.mark()},
		},
		"spec": map[string]any{"url": "oci://carried.invalid/" + c.name.Name, "interval": "24h", "suspend": true},
	}}
	obj.SetGroupVersionKind(carrierKind)
	return obj
}

// artifactOf is the status of a carrier.
func artifactOf(c carrier, now time.Time) map[string]any {
	return map[string]any{
		"artifact": map[string]any{
			"url": c.source.URL, "path": c.source.URL, "digest": c.source.Digest, "revision": c.source.Digest,
			"lastUpdateTime": now.UTC().Format(time.RFC3339),
		},
	}
}

// carries says whether a carrier is there with the artifact that is wanted.
func carries(obj *unstructured.Unstructured, c carrier) bool {
	url, _, _ := unstructured.NestedString(obj.Object, "status", "artifact", "url")
	digest, _, _ := unstructured.NestedString(obj.Object, "status", "artifact", "digest")
	return url == c.source.URL && digest == c.source.Digest
}
