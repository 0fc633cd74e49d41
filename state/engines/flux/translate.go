package flux

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

const (
	// targetLabel is a digest of the target, setLabel one of the set: a label's value is
	// shorter than names can be.
	targetLabel = "portico.dev/target"
	setLabel    = "portico.dev/serviceset"

	// setNote is the set's name, priorityNote its priority.
	setNote      = "portico.dev/serviceset"
	priorityNote = "portico.dev/priority"
	// wishNote is the digest of what the spec was written for; versionNote its version, in the
	// user's word; needsNote what it depends on.
	wishNote    = "portico.dev/digest"
	versionNote = "portico.dev/version"
	needsNote   = "portico.dev/depends-on"
	// settledNote is the wish that was deployed when the object was frozen. Flux tells
	// nothing of what it does not look at.
	settledNote = "portico.dev/settled"
	// leaveNote says that the release stays on the target when its set goes.
	leaveNote = "portico.dev/leave-on-remove"

	// askNote asks Flux to look at once.
	askNote = meta.ReconcileRequestAnnotation
)

const (
	// calmly is how often Flux looks of itself at a release, often where it is to find drift.
	calmly = 10 * time.Minute
	often  = time.Minute
	// retrying is how long Flux waits before it tries again what failed, unless it is asked
	// before.
	retrying = 5 * time.Minute
	// retryOnFailure is what Flux calls that.
	retryOnFailure = "RetryOnFailure"
	// forgiving marks an asking that is made because the target was silent.
	forgiving = "/again"
)

// short is a digest that fits a label.
func short(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d %s ", len(p), p)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func targetID(t engine.Target) string {
	return short(t.Cluster.Namespace, t.Cluster.Name, strconv.FormatBool(t.Management))
}

func setID(set types.NamespacedName) string { return short(set.Namespace, set.Name) }

// objectName names the one HelmRelease of a release on a target, for people and without a
// clash: "prod-ingress-1f2e3d4c".
func objectName(t engine.Target, key engine.Key) string {
	cluster := t.Cluster.Name
	if t.Management {
		cluster = "management"
	}
	return fmt.Sprintf("%.80s-%.80s-%.8s", cluster, key.Name, short(targetID(t), key.Namespace, key.Name))
}

// artifactName names the one ExternalArtifact of an archive for a target.
func artifactName(t engine.Target, source engine.Source) string {
	return fmt.Sprintf("chart-%.8s-%.16s", targetID(t), short(source.Digest))
}

// artifact is the archive as Flux reads it. It never changes: another archive is another object.
// So a source that moves on moves nothing on a target before the set says so.
func artifact(t engine.Target, in string, source engine.Source) *sourcev1.ExternalArtifact {
	out := &sourcev1.ExternalArtifact{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: in, Name: artifactName(t, source), Labels: map[string]string{targetLabel: targetID(t)},
		},
	}
	// The digest in the revision has Flux tell two archives of one version apart.
	out.Status.Artifact = &meta.Artifact{
		URL: source.URL, Path: source.URL, Digest: source.Digest,
		Revision: cmp.Or(source.Revision, "archive") + "@" + source.Digest,
	}
	if source.Revision == "" || strings.Contains(source.Revision, ":") || strings.Contains(source.Revision, "@") {
		out.Status.Artifact.Revision = source.Digest
	}
	return out
}

// wanted is a wish in Flux' words.
type wanted struct {
	spec   *helmReleaseSpec
	digest string
	// values are what the Secret holds to which the spec refers; empty if there are none.
	values string
}

func translate(svc engine.Service, policy engine.Policy, at Access) (wanted, error) {
	values, err := valuesOf(svc.Values)
	if err != nil {
		return wanted{}, err
	}
	o := svc.Options
	spec := &helmReleaseSpec{
		ChartRef: chartRef{Kind: sourcev1.ExternalArtifactKind, Name: artifactName(at.Target, svc.Source)},
		Interval: metav1.Duration{Duration: interval(policy)}, KubeConfig: at.kubeConfig(),
		ReleaseName: svc.Key.Name, TargetNamespace: svc.Key.Namespace, StorageNamespace: svc.Key.Namespace,
		Timeout: metav1.Duration{Duration: cmp.Or(o.Timeout, 5*time.Minute)}, MaxHistory: o.Upgrade.MaxHistory,
		DriftDetection: drift(policy), ValuesFrom: valuesFrom(at.Target, svc.Key, values), PostRenderers: postRenderers(policy.Patches),
		Install: translateInstall(o, policy), Upgrade: translateUpgrade(o, policy),
		Rollback: rollback{
			DisableWait: !o.Wait && !o.Atomic, DisableWaitForJobs: !o.WaitForJobs,
			DisableHooks: o.DisableHooks || o.Upgrade.DisableHooks, CleanupOnFail: o.Upgrade.CleanupOnFail,
		},
		Uninstall: translateUninstall(o),
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return wanted{}, fmt.Errorf("writing release %s: %w", svc.Key, err)
	}
	return wanted{spec: spec, digest: short(string(text)), values: values}, nil
}

// valuesOf are the values in JSON; empty where nothing is said.
func valuesOf(values string) (string, error) {
	text, err := yaml.YAMLToJSON([]byte(values))
	if err != nil {
		return "", fmt.Errorf("reading the values: %w", err)
	}
	if s := string(text); s == "null" || s == "{}" {
		return "", nil
	}
	return string(text), nil
}

func (a Access) kubeConfig() *kubeConfig {
	if a.Secret == "" {
		return nil
	}
	return &kubeConfig{SecretRef: secretRef{Name: a.Secret, Key: a.Key}}
}

func interval(p engine.Policy) time.Duration {
	if p.Sync == engine.ContinuousWithDriftDetection {
		return often
	}
	return calmly
}

// retrial says what Flux does after a failure. Without a bound on failures, and unless a failed
// attempt is to be undone, it tries the same again; else it undoes the attempt first.
func retrial(o engine.Options, p engine.Policy) (strategy, *remediation) {
	if !o.Atomic && p.MaxFailures == 0 {
		return strategy{Name: retryOnFailure, RetryInterval: &metav1.Duration{Duration: retrying}}, nil
	}
	retries := p.MaxFailures - 1 // less than zero is without a bound
	return strategy{Name: "RemediateOnFailure"}, &remediation{Retries: retries, RemediateLastFailure: o.Atomic}
}

func translateInstall(o engine.Options, p engine.Policy) install {
	how, undo := retrial(o, p)
	out := install{
		Strategy: how, Remediation: undo,
		DisableTakeOwnership: !o.Install.TakeOwnership, DisableWait: !o.Wait && !o.Atomic, DisableWaitForJobs: !o.WaitForJobs,
		DisableHooks:             o.DisableHooks || o.Install.DisableHooks,
		DisableOpenAPIValidation: o.DisableOpenAPIChecks, DisableSchemaValidation: o.SkipSchemaValidation,
		// A history that was kept is no trace of the service: its name is free.
		Replace: true, CRDs: "Create", CreateNamespace: o.CreateNamespace,
	}
	if o.SkipCRDs {
		out.CRDs = "Skip"
	}
	if o.Upgrade.Force {
		off := false
		out.ServerSideApply = &off
	}
	return out
}

func translateUpgrade(o engine.Options, p engine.Policy) upgrade {
	how, undo := retrial(o, p)
	if undo != nil {
		undo.Strategy = "rollback"
	}
	out := upgrade{
		Strategy: how, Remediation: undo,
		DisableTakeOwnership: !o.Upgrade.TakeOwnership, DisableWait: !o.Wait && !o.Atomic, DisableWaitForJobs: !o.WaitForJobs,
		DisableHooks:             o.DisableHooks || o.Upgrade.DisableHooks,
		DisableOpenAPIValidation: o.DisableOpenAPIChecks, DisableSchemaValidation: o.SkipSchemaValidation,
		Force: o.Upgrade.Force, PreserveValues: o.Upgrade.ReuseValues, CleanupOnFail: o.Upgrade.CleanupOnFail,
		// By default Flux would uninstall a release whose chart has got another name.
		CRDs: "Skip", ChartNameChangeStrategy: "InPlaceUpdate",
	}
	if o.Upgrade.UpgradeCRDs && !o.SkipCRDs {
		out.CRDs = "CreateReplace"
	}
	if o.Upgrade.Force { // with server-side apply it would mean nothing
		out.ServerSideApply = "disabled"
	}
	return out
}

func translateUninstall(o engine.Options) uninstall {
	return uninstall{
		DisableHooks: o.DisableHooks || o.Uninstall.DisableHooks, KeepHistory: o.Uninstall.KeepHistory,
		DisableWait: !o.Wait, DeletionPropagation: o.Uninstall.Propagation,
	}
}

func drift(p engine.Policy) driftDetection {
	out := driftDetection{Mode: "warn"}
	switch p.Sync {
	case engine.ContinuousWithDriftDetection:
		out.Mode = "enabled"
	case engine.OneTime:
		return driftDetection{Mode: "disabled"}
	}
	for _, s := range p.DriftIgnored { // the empty pointer is the whole object
		out.Ignore = append(out.Ignore, ignoreRule{Paths: []string{""}, Target: translateSelector(s)})
	}
	for _, e := range p.DriftExcluded {
		out.Ignore = append(out.Ignore, ignoreRule{Paths: e.Paths, Target: translateSelector(e.Target)})
	}
	return out
}

func translateSelector(s engine.Selector) *selector {
	if s == (engine.Selector{}) {
		return nil
	}
	return &selector{
		Group: s.Group, Version: s.Version, Kind: s.Kind, Namespace: s.Namespace, Name: s.Name,
		LabelSelector: s.LabelSelector, AnnotationSelector: s.AnnotationSelector,
	}
}

func postRenderers(patches []engine.Patch) []postRenderer {
	if len(patches) == 0 {
		return nil
	}
	var out kustomize
	for _, p := range patches {
		out.Patches = append(out.Patches, patch{Patch: p.Patch, Target: translateSelector(p.Target)})
	}
	return []postRenderer{{Kustomize: out}}
}

// stage is how Flux stands to what the object asks for, in one word.
type stage string

const (
	// working: it has not ended yet.
	working stage = "working"
	// done: it is deployed.
	done stage = "done"
	// broken: the last attempt failed, and the message says why.
	broken stage = "broken"
)

// release is a HelmRelease in our words.
type release struct {
	object *helmRelease
	key    engine.Key
	notes
	wish, version, settled string
	stage                  stage
	message                string
	// digest is of the chart and values that were deployed last; empty if none were.
	digest string
	drift  []string
	// asked is when Flux was asked to look at once, answered which asking it has heeded.
	asked, answered string
	// since is when the last attempt failed, failures how many did, and retries says that Flux
	// waits for the next one.
	since    time.Time
	failures int
	retries  bool
	// recorded says that Flux knows what it has made.
	recorded bool
	// frozen: Flux leaves the release as it is. leaving: it is being removed.
	frozen, leaving bool
}

// notes are what a set keeps with its release.
type notes struct {
	set      types.NamespacedName
	priority int32
	needs    []engine.Key
	// leave keeps the release on the target when the set goes.
	leave bool
}

func observe(r *helmRelease) *release {
	a := r.Annotations
	out := &release{
		object: r, notes: observeNotes(a), wish: a[wishNote], version: a[versionNote], settled: a[settledNote],
		asked: a[askNote], leaving: r.DeletionTimestamp != nil,
	}
	if r.Spec != nil {
		out.key = engine.Key{Namespace: r.Spec.TargetNamespace, Name: r.Spec.ReleaseName}
		out.frozen, out.retries = r.Spec.Suspend, r.Spec.Install.Strategy.Name == retryOnFailure
	}
	status := r.Status
	if status == nil {
		status = &helmReleaseStatus{}
	}
	out.digest, out.answered, out.failures = digestOf(status), status.LastHandledReconcileAt, int(status.Failures)
	out.recorded = len(status.History) > 0
	if ready := condition(status, meta.ReadyCondition); ready != nil {
		out.since = ready.LastTransitionTime.Time
	}
	out.stage, out.message = stageOf(r.Generation, status)
	if out.stage == broken && strings.HasSuffix(out.asked, forgiving) && out.asked != out.answered {
		out.stage, out.message = working, "" // it is being tried again
	}
	if out.settled != "" && out.settled == out.wish && out.stage == working {
		out.stage = done
	}
	if c := condition(status, "Drifted"); out.stage == done && c != nil && c.Status == metav1.ConditionTrue {
		out.drift = driftIn(c.Message)
	}
	return out
}

func observeNotes(a map[string]string) notes {
	out := notes{leave: a[leaveNote] != ""}
	out.set.Namespace, out.set.Name, _ = strings.Cut(a[setNote], "/")
	if n, err := strconv.ParseInt(a[priorityNote], 10, 32); err == nil {
		out.priority = int32(n)
	}
	for _, word := range strings.Fields(a[needsNote]) {
		if namespace, name, ok := strings.Cut(word, "/"); ok {
			out.needs = append(out.needs, engine.Key{Namespace: namespace, Name: name})
		}
	}
	return out
}

func (n notes) write(a map[string]string) {
	a[setNote] = n.set.String()
	a[priorityNote] = strconv.Itoa(int(n.priority))
	var needs []string
	for _, key := range n.needs {
		needs = append(needs, key.String())
	}
	slices.Sort(needs)
	put(a, needsNote, strings.Join(needs, " "))
	leave := ""
	if n.leave {
		leave = "true"
	}
	put(a, leaveNote, leave)
}

// put leaves out what is empty.
func put(a map[string]string, name, value string) {
	if value == "" {
		delete(a, name)
		return
	}
	a[name] = value
}

func condition(s *helmReleaseStatus, kind string) *metav1.Condition {
	i := slices.IndexFunc(s.Conditions, func(c metav1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &s.Conditions[i]
}

// stageOf counts only what was said of this generation of the spec.
func stageOf(generation int64, s *helmReleaseStatus) (stage, string) {
	ready := condition(s, meta.ReadyCondition)
	switch {
	case ready == nil || ready.ObservedGeneration != generation:
		return working, ""
	case s.ObservedGeneration == generation && (ready.Status == metav1.ConditionTrue || mending(ready, s)):
		return done, ""
	case ready.Status == metav1.ConditionFalse && ready.Reason != meta.HealthCheckCanceledReason:
		// Once an attempt was undone, Ready speaks of that, and Released of what went wrong.
		if released := condition(s, "Released"); released != nil && released.Status == metav1.ConditionFalse {
			return broken, released.Message
		}
		return broken, ready.Message
	}
	return working, ""
}

// mending says that what was deployed has drifted and is being put right, by which Flux calls it
// not ready.
func mending(ready *metav1.Condition, s *helmReleaseStatus) bool {
	drifted := condition(s, "Drifted")
	history := newest(s.History)
	return ready.Status == metav1.ConditionUnknown && drifted != nil && drifted.Status == metav1.ConditionTrue &&
		len(history) > 0 && history[0].Status == "deployed"
}

func newest(history []snapshot) []snapshot {
	return slices.SortedFunc(slices.Values(history), func(a, b snapshot) int { return cmp.Compare(b.Version, a.Version) })
}

// digestOf is that of the last revision that was made completely.
func digestOf(status *helmReleaseStatus) string {
	for _, s := range newest(status.History) {
		if s.Status == "deployed" || s.Status == "superseded" {
			return "sha256:" + short(s.ChartName, s.ChartVersion, s.OCIDigest, s.ConfigDigest, status.ObservedPostRenderersDigest)
		}
	}
	return ""
}

// driftIn are the lines of the message after the first: one for each object.
func driftIn(message string) []string {
	var out []string
	for _, line := range strings.Split(message, "\n")[1:] {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), 10)]
}

// translateDrift is what does not count as drift, for who looks on the target itself.
func translateDrift(p engine.Policy) *helm.DriftOptions {
	var out helm.DriftOptions
	for _, s := range p.DriftIgnored {
		out.Ignore = append(out.Ignore, helm.Selector(s))
	}
	for _, x := range p.DriftExcluded {
		exclusion := helm.Exclusion{Paths: x.Paths}
		if x.Target != (engine.Selector{}) {
			target := helm.Selector(x.Target)
			exclusion.Target = &target
		}
		out.Exclude = append(out.Exclude, exclusion)
	}
	return &out
}
