package deployment

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// requirements are what has to hold before anything is created or changed, in the order in
// which a reader should mend them. The planner and the status look at the same list, so that
// whatever stops a ClusterDeployment is also what its status says.
func requirements(d *kcm.ClusterDeployment, saw Observed) []metav1.Condition {
	list := []metav1.Condition{templateReady(d, saw), credentialReady(d, saw)}
	for _, kind := range documentKinds {
		if reference(d, kind) != "" {
			list = append(list, documentReady(kind, saw.document(kind)))
		}
	}
	if d.Spec.DataSource != "" {
		list = append(list, failed(kcm.DataSourceReadyCondition, "spec.dataSource is not served yet: remove it, and the control plane keeps its data itself"))
	}
	return append(list, chartReady(d, saw))
}

// unmet returns the first requirement that does not hold.
func unmet(list []metav1.Condition) (metav1.Condition, bool) {
	for _, c := range list {
		if c.Status != metav1.ConditionTrue {
			return c, true
		}
	}
	return metav1.Condition{}, false
}

func templateReady(d *kcm.ClusterDeployment, saw Observed) metav1.Condition {
	const kind = kcm.TemplateReadyCondition
	switch t := saw.Template; {
	case t == nil:
		return failed(kind, "ClusterTemplate %q does not exist in namespace %q: create it, or name another in spec.template", d.Spec.Template, d.Namespace)
	case !t.Valid && t.Problem != "":
		return failed(kind, "ClusterTemplate %q is not valid: %s", d.Spec.Template, t.Problem)
	case !t.Valid:
		return progressing(kind, "ClusterTemplate %q has not been checked yet", d.Spec.Template)
	}
	if present(saw.Release) {
		return succeeded(kind, "Template is valid") // what a living cluster was made with may go
	}
	// Admission asks the same, but not of a template that nobody had checked by then.
	if problems := admission.ProviderProblems(saw.Template.Providers, saw.Template.Contracts, saw.Parent); len(problems) > 0 {
		return failed(kind, "ClusterTemplate %q cannot be used here: %s", d.Spec.Template, strings.Join(problems, "; "))
	}
	return succeeded(kind, "Template is valid")
}

func credentialReady(d *kcm.ClusterDeployment, saw Observed) metav1.Condition {
	const kind = kcm.CredentialReadyCondition
	name := d.Spec.Credential
	switch c := saw.Credential; {
	case name == "":
		return failed(kind, "spec.credential is empty: name a Credential of namespace %q", d.Namespace)
	case c == nil:
		return failed(kind, "Credential %q does not exist in namespace %q: create it, or name another in spec.credential", name, d.Namespace)
	case c.Region != "":
		return failed(kind, "Credential %q belongs to region %q, and regions are not served yet: name one without a region", name, c.Region)
	case c.Identity.Kind == "":
		return failed(kind, "Credential %q names no identity: set its spec.identityRef", name)
	case !c.Ready && c.Problem != "":
		return failed(kind, "Credential %q is not ready: %s", name, c.Problem)
	case !c.Ready:
		return progressing(kind, "Credential %q has not been checked yet", name)
	}
	if saw.Template == nil {
		return succeeded(kind, "Credential is Ready")
	}
	if problems := admission.IdentityProblems(saw.Template.Providers, saw.Credential.Identity.Kind, saw.Credential.Accepted); len(problems) > 0 {
		return failed(kind, "Credential %q does not fit: %s", name, strings.Join(problems, "; "))
	}
	return succeeded(kind, "Credential is Ready")
}

func documentReady(kind DocumentKind, doc Document) metav1.Condition {
	if doc.Problem != "" {
		return failed(places[kind].condition, "%s", doc.Problem)
	}
	return succeeded(places[kind].condition, "The %s is valid", kind)
}

func chartReady(d *kcm.ClusterDeployment, saw Observed) metav1.Condition {
	const kind = kcm.HelmChartReadyCondition
	switch r := saw.Rendering; {
	case len(d.Name) > admission.MaxClusterName:
		return failed(kind, "The name %q has %d characters: at most %d fit into the name of a Helm release", d.Name, len(d.Name), admission.MaxClusterName)
	case saw.Template == nil || !saw.Template.Valid:
		return progressing(kind, "The chart is checked when the template is ready")
	case d.Spec.IPAMClaim != (kcm.ClusterIPAMClaimType{}):
		return failed(kind, "spec.ipamClaim is not served yet: remove it, and set the addresses in spec.config")
	case saw.Chart.Problem != "":
		return failed(kind, "The chart of ClusterTemplate %q cannot be read: %s", d.Spec.Template, saw.Chart.Problem)
	case saw.Chart.Name == "":
		return progressing(kind, "The chart of ClusterTemplate %q is not fetched yet", d.Spec.Template)
	case saw.chartNameChanged():
		return failed(kind, "%s", renamed(d, saw))
	case r == nil:
		return progressing(kind, "The chart is not checked yet, since it takes the credential")
	case len(r.Problems) > 0:
		return failed(kind, "%s", strings.Join(r.Problems, ". "))
	case len(r.Clusters) != 1:
		return failed(kind, "%s", clusterCount(saw))
	case r.Clusters[0].Namespace != d.Namespace:
		return failed(kind, "Chart %s puts its %s into namespace %q, but a cluster lives beside its ClusterDeployment in %q", saw.Chart.full(), r.Clusters[0].Kind, r.Clusters[0].Namespace, d.Namespace)
	}
	return succeeded(kind, "Helm chart is valid")
}

func clusterCount(saw Observed) string {
	const rule = "the chart of a ClusterTemplate has to render exactly one of them"
	if len(saw.Rendering.Clusters) == 0 {
		return fmt.Sprintf("Chart %s renders no Cluster (cluster.x-k8s.io) and no SveltosCluster: %s", saw.Chart.full(), rule)
	}
	var names []string
	for _, c := range saw.Rendering.Clusters {
		names = append(names, c.Kind+" "+c.Namespace+"/"+c.Name)
	}
	return fmt.Sprintf("Chart %s renders %d clusters (%s): %s", saw.Chart.full(), len(names), strings.Join(names, ", "), rule)
}

// chartNameChanged compares what the charts call themselves: the names of templates and of
// HelmCharts differ with each version and mean nothing.
func (saw Observed) chartNameChanged() bool {
	return present(saw.Release) && saw.Release.Chart != "" && saw.Chart.Name != "" && saw.Release.Chart != saw.Chart.Name
}

func renamed(d *kcm.ClusterDeployment, saw Observed) string {
	return fmt.Sprintf("ClusterTemplate %q has chart %q, but the cluster was made with chart %q: going on would destroy it and make another; name a template with chart %q, or make a new ClusterDeployment",
		d.Spec.Template, saw.Chart.Name, saw.Release.Chart, saw.Release.Chart)
}

func (c Chart) full() string { return c.Name + " " + c.Version }

func succeeded(kind, format string, args ...any) metav1.Condition {
	return control.True(kind, kcm.SucceededReason, fmt.Sprintf(format, args...))
}

func failed(kind, format string, args ...any) metav1.Condition {
	return control.False(kind, kcm.FailedReason, fmt.Sprintf(format, args...))
}

func progressing(kind, format string, args ...any) metav1.Condition {
	return control.Unknown(kind, kcm.ProgressingReason, fmt.Sprintf(format, args...))
}
