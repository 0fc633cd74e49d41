package direct

import (
	"maps"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// translate says a wish in Helm's words.
func translate(svc engine.Service, chart *helm.Chart, values helm.Values, set string) helm.Wanted {
	o := svc.Options
	labels := maps.Clone(o.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[SetLabel] = set
	return helm.Wanted{
		Namespace: svc.Key.Namespace, Name: svc.Key.Name, Chart: chart, Values: values,
		Options: helm.Options{
			CreateNamespace: o.CreateNamespace, Wait: o.Wait, WaitForJobs: o.WaitForJobs, Atomic: o.Atomic,
			Timeout: o.Timeout, SkipCRDs: o.SkipCRDs, SkipSchemaValidation: o.SkipSchemaValidation,
			DisableHooks:  o.DisableHooks || o.Install.DisableHooks,
			TakeOwnership: o.Install.TakeOwnership || o.Upgrade.TakeOwnership,
			MaxHistory:    o.Upgrade.MaxHistory, SubNotes: o.Upgrade.SubNotes,
			Description: o.Description, Labels: labels,
			Upgrade: helm.UpgradeOptions{
				Force: o.Upgrade.Force, ReuseValues: o.Upgrade.ReuseValues, ResetThenReuseValues: o.Upgrade.ResetThenReuseValues,
				CleanupOnFail: o.Upgrade.CleanupOnFail, CRDs: o.Upgrade.UpgradeCRDs, DisableHooks: o.Upgrade.DisableHooks,
			},
		},
	}
}

func translateRemoval(o engine.Options) helm.RemoveOptions {
	return helm.RemoveOptions{
		KeepHistory: o.Uninstall.KeepHistory, Propagation: o.Uninstall.Propagation,
		DisableHooks: o.DisableHooks || o.Uninstall.DisableHooks, Timeout: o.Timeout,
	}
}
