package serviceset

import (
	"time"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

// historyKept is how many revisions of a release are kept unless somebody says otherwise.
const historyKept = 2

// optionsOf applies the defaults that k0rdent's adapter has. What the options of an action say goes
// before the deprecated fields.
func optionsOf(o *kcm.ServiceHelmOptions) engine.Options {
	out := engine.Options{
		Wait: is(o.Wait), WaitForJobs: is(o.WaitForJobs), Atomic: is(o.Atomic), Timeout: 5 * time.Minute,
		CreateNamespace: isNot(o.CreateNamespace), SkipCRDs: is(o.SkipCRDs), DisableHooks: is(o.DisableHooks),
		DisableOpenAPIChecks: is(o.DisableOpenAPIValidation), SkipSchemaValidation: is(o.SkipSchemaValidation), DependencyBump: is(o.DependencyUpdate),
		Install: engine.InstallOptions{Replace: isNot(o.Replace)},
		Upgrade: engine.UpgradeOptions{MaxHistory: historyKept},
	}
	if o.Timeout != nil {
		out.Timeout = o.Timeout.Duration
	}
	if o.Labels != nil {
		out.Labels = *o.Labels
	}
	if o.Description != nil {
		out.Description = *o.Description
	}
	if in := o.InstallOptions; in != nil {
		if in.CreateNamespace != nil {
			out.CreateNamespace = *in.CreateNamespace
		}
		if in.Replace != nil {
			out.Install.Replace = *in.Replace
		}
		out.Install.DisableHooks, out.Install.TakeOwnership = in.DisableHooks, in.TakeOwnership
	}
	if up := o.UpgradeOptions; up != nil {
		out.Upgrade = engine.UpgradeOptions{
			Force: up.Force, ResetValues: up.ResetValues, ReuseValues: up.ReuseValues, ResetThenReuseValues: up.ResetThenReuseValues,
			CleanupOnFail: up.CleanupOnFail, SubNotes: up.SubNotes, UpgradeCRDs: up.UpgradeCRDs,
			DisableHooks: up.DisableHooks, TakeOwnership: up.TakeOwnership, MaxHistory: historyKept,
		}
		if up.MaxHistory != nil {
			out.Upgrade.MaxHistory = *up.MaxHistory
		}
	}
	if un := o.UninstallOptions; un != nil {
		out.Uninstall = engine.UninstallOptions{KeepHistory: un.KeepHistory, DisableHooks: un.DisableHooks, Propagation: un.DeletionPropagation}
	}
	return out
}

func is(b *bool) bool { return b != nil && *b }

// isNot is for what is done unless somebody says no.
func isNot(b *bool) bool { return b == nil || *b }
