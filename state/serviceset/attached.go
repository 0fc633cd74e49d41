package serviceset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

// attachedPrefix begins the names of services that policyRefs become. The dot keeps them apart from
// the user's, whose names are DNS labels.
const attachedPrefix = "policy-ref."

// Attached is a policyRef with what was found of it.
type Attached struct {
	Ref kcm.PolicyRef
	// Source is what it leads to; Missing says that there is no such object.
	Source  engine.Source
	Missing bool
	// Problem is why it cannot be applied, NotYet what has to happen first; empty for nothing.
	Problem, NotYet string
}

// nameOf is how messages call a policyRef.
func nameOf(ref kcm.PolicyRef) string {
	if ref.RemoteURL != nil {
		return ref.RemoteURL.URL
	}
	name := fmt.Sprintf("%s %s/%s", ref.Kind, ref.Namespace, ref.Name)
	if ref.Path != "" {
		name += ", path " + ref.Path
	}
	return name
}

// keyOfAttached is the same for the same reference, wherever it stands in the list.
func keyOfAttached(ref kcm.PolicyRef) engine.Key {
	sum := sha256.Sum256([]byte(nameOf(ref)))
	return engine.Key{Namespace: service.DefaultNamespace, Name: attachedPrefix + hex.EncodeToString(sum[:5])}
}

func isAttached(key engine.Key) bool { return strings.HasPrefix(key.Name, attachedPrefix) }

// resolveAttached is the service that a policyRef becomes. What is optional and missing becomes none.
func resolveAttached(a Attached) (engine.Service, bool) {
	out := engine.Service{
		Key: keyOfAttached(a.Ref), Kind: engine.Resource, Template: nameOf(a.Ref), Source: a.Source,
		Options: optionsOf(&kcm.ServiceHelmOptions{}), Problem: a.Problem, NotYet: a.NotYet,
	}
	switch {
	case out.Problem != "":
	case a.Ref.RemoteURL != nil:
		out.Problem = "remoteURL is not possible: put the manifests into a ConfigMap, Secret, GitRepository, OCIRepository or Bucket, and name that"
	case a.Ref.Tier != 0 && a.Ref.Tier != 100:
		out.Problem = "tier is not possible: two policyRefs must not hold the same object; give the whole set a priority"
	case a.Ref.SkipNamespaceCreation:
		out.Problem = "skipNamespaceCreation is not possible: the namespaces that manifests need are made"
	case a.Missing && a.Ref.Optional:
		return out, false
	case a.Missing:
		out.Problem = "it does not exist: create it, or set optional"
	case out.NotYet == "" && a.Source.Digest == "":
		out.NotYet = "it has not been fetched yet"
	}
	return out, true
}
