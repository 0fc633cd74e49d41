package direct

import (
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// translate says a wish in Helm's words.
func translate(in wish, chart *helm.Chart, values helm.Values, owner helm.Owner) helm.Wanted {
	o := in.Options
	if in.Kind != engine.Helm {
		o = engine.Options{CreateNamespace: true}
	}
	return helm.Wanted{
		Namespace: in.Key.Namespace, Name: in.Key.Name, Chart: chart, Values: values, Owner: owner, Patches: translatePatches(in.patches),
		Options: helm.Options{
			CreateNamespace: o.CreateNamespace, Wait: o.Wait, WaitForJobs: o.WaitForJobs, Atomic: o.Atomic,
			Timeout: o.Timeout, SkipCRDs: o.SkipCRDs, SkipSchemaValidation: o.SkipSchemaValidation,
			DisableHooks: o.DisableHooks, MaxHistory: maxHistory(o.Upgrade.MaxHistory), SubNotes: o.Upgrade.SubNotes,
			Description: o.Description, Labels: o.Labels,
			Install: helm.InstallOptions{DisableHooks: o.Install.DisableHooks, TakeOwnership: o.Install.TakeOwnership},
			Upgrade: helm.UpgradeOptions{
				Force: o.Upgrade.Force, ReuseValues: o.Upgrade.ReuseValues, ResetThenReuseValues: o.Upgrade.ResetThenReuseValues,
				CleanupOnFail: o.Upgrade.CleanupOnFail, CRDs: o.Upgrade.UpgradeCRDs,
				DisableHooks: o.Upgrade.DisableHooks, TakeOwnership: o.Upgrade.TakeOwnership,
			},
		},
	}
}

// maxHistory says "all" as helm.Options do: there, zero is the default.
func maxHistory(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func translateRemoval(o engine.Options, owner helm.Owner) helm.RemoveOptions {
	return helm.RemoveOptions{
		Owner:       owner,
		KeepHistory: o.Uninstall.KeepHistory, Propagation: o.Uninstall.Propagation,
		DisableHooks: o.DisableHooks || o.Uninstall.DisableHooks, Timeout: o.Timeout,
	}
}

func translatePatches(patches []engine.Patch) []helm.Patch {
	var out []helm.Patch
	for _, p := range patches {
		out = append(out, helm.Patch{Patch: p.Patch, Target: translateSelector(p.Target)})
	}
	return out
}

// translateSelector says "any" as helm does: there, no selector is none.
func translateSelector(s engine.Selector) *helm.Selector {
	if s == (engine.Selector{}) {
		return nil
	}
	return new(helm.Selector(s))
}

func translateDrift(p engine.Policy, owner helm.Owner) helm.DriftOptions {
	o := helm.DriftOptions{Owner: owner}
	for _, s := range p.DriftIgnored {
		o.Ignore = append(o.Ignore, helm.Selector(s))
	}
	for _, x := range p.DriftExcluded {
		o.Exclude = append(o.Exclude, helm.Exclusion{Paths: x.Paths, Target: translateSelector(x.Target)})
	}
	return o
}
