package direct

import (
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// translate says a wish in Helm's words.
func translate(svc engine.Service, chart *helm.Chart, values helm.Values, owner helm.Owner) helm.Wanted {
	o := svc.Options
	return helm.Wanted{
		Namespace: svc.Key.Namespace, Name: svc.Key.Name, Chart: chart, Values: values, Owner: owner,
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
