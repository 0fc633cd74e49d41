package groups

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Reasons of the conditions.
const (
	reasonValid     = "Valid"
	reasonInvalid   = "Invalid"
	reasonDuplicate = "Duplicate"
	reasonFound     = "Found"
	reasonNotNeeded = "NotNeeded"
	reasonNoSecret  = "SecretNotFound"
	reasonNoKey     = "KeyNotFound"
	reasonRefused   = "SecretRefused"
	reasonRendered  = "Rendered"
	reasonLeftOut   = "LeftOut"
)

// Judge folds what was seen into the status of one group among all of its Secret.
func Judge(g Group, saw Observed, release string) kof.PromxyServerGroupStatus {
	facts := []metav1.Condition{address(g, saw.Groups), credentials(g, release)}
	ready := control.Summary(kof.ReadyCondition, facts...)
	if saw.Secret != nil {
		facts = append(facts, rendered(ready, saw))
	}
	at := control.Stamp{Now: saw.Now, Generation: g.Generation}
	return kof.PromxyServerGroupStatus{Conditions: control.Fold(g.Status.Conditions, at, append(facts, ready)...)}
}

func address(g Group, all []Group) metav1.Condition {
	if err := checkAddress(g.Spec); err != nil {
		return control.False(kof.AddressValidCondition, reasonInvalid, fleet.Sentence(err))
	}
	if other := twin(g, all); other != "" {
		return control.False(kof.AddressValidCondition, reasonDuplicate,
			fmt.Sprintf("spec.cluster_name %q is that of PromxyServerGroup %s too, which is older: their metrics could not be told apart", g.Spec.ClusterName, other))
	}
	return control.True(kof.AddressValidCondition, reasonValid, "")
}

func credentials(g Group, release string) metav1.Condition {
	auth := g.Spec.HTTPClient.BasicAuth
	switch {
	case auth.CredentialsSecretName == "":
		return control.True(kof.CredentialsReadyCondition, reasonNotNeeded, "")
	case g.Refused != "":
		return control.False(kof.CredentialsReadyCondition, reasonRefused, g.Refused)
	case !g.Found:
		return control.False(kof.CredentialsReadyCondition, reasonNoSecret,
			fmt.Sprintf("Secret %s exists neither in namespace %s nor in %s: create it, or name another in spec.http_client.basic_auth", auth.CredentialsSecretName, release, g.Namespace))
	case g.Username == "" || g.Password == "":
		return control.False(kof.CredentialsReadyCondition, reasonNoKey,
			fmt.Sprintf("Secret %s has nothing under the keys %q or %q", auth.CredentialsSecretName, auth.UsernameKey, auth.PasswordKey))
	}
	return control.True(kof.CredentialsReadyCondition, reasonFound, "")
}

func rendered(ready metav1.Condition, saw Observed) metav1.Condition {
	if ready.Status == metav1.ConditionTrue {
		return control.True(kof.RenderedCondition, reasonRendered, "Promxy's configuration is in Secret "+saw.Secret.Namespace+"/"+saw.Secret.Name)
	}
	return control.False(kof.RenderedCondition, reasonLeftOut, "Promxy does not ask this store: "+ready.Message)
}
