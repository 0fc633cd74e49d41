package revision

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// kept is how many revisions are kept beside those in use.
const kept = 10

// maxLabel is the length of a label's value, maxName what of an owner's name stands in that of a
// revision: the name of an object has 253 characters at most.
const (
	maxLabel = 63
	maxName  = 200
)

// prefixes begin the names of revisions.
var prefixes = map[statev1.SubjectKind]string{
	statev1.SubjectMultiClusterService: "mcs",
	statev1.SubjectNamespaced:          "nmcs",
	statev1.SubjectClusterDeployment:   "cd",
}

// Owner is whose service spec is recorded.
type Owner struct {
	Kind statev1.SubjectKind
	// Name of the owner, and Namespace of its revisions: the owner's own, or the system
	// namespace for a MultiClusterService.
	Namespace, Name string
}

// Name is how the revision of that content is called. It is pure: whoever knows the spec
// knows the name.
func Name(o Owner, spec kcm.ServiceSpec) (string, error) {
	data, err := dataOf(spec)
	if err != nil {
		return "", err
	}
	return nameOf(o, data), nil
}

func dataOf(spec kcm.ServiceSpec) ([]byte, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("writing the service spec: %w", err)
	}
	// The API server may return the same content with its keys in another order.
	return canonical(raw)
}

func canonical(raw []byte) ([]byte, error) {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading the service spec: %w", err)
	}
	return json.Marshal(v)
}

func nameOf(o Owner, data []byte) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s/%s/%s/%s", o.Kind, o.Namespace, o.Name, data)
	return fmt.Sprintf("%s-%.*s-%s", prefixes[o.Kind], maxName, o.Name, hex.EncodeToString(sum.Sum(nil)[:5]))
}

// Labels are those of an owner's revisions.
func Labels(o Owner) map[string]string {
	return map[string]string{statev1.OwnerKindLabel: string(o.Kind), statev1.OwnerLabel: labelOf(o.Name)}
}

// labelOf is the owner's name as a label's value, which may be shorter than names are.
func labelOf(name string) string {
	if len(name) <= maxLabel {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:maxLabel-9] + "-" + hex.EncodeToString(sum[:4])
}

// SpecOf is the service spec that a revision holds.
func SpecOf(r *appsv1.ControllerRevision) (kcm.ServiceSpec, error) {
	var spec kcm.ServiceSpec
	if err := json.Unmarshal(r.Data.Raw, &spec); err != nil {
		return spec, fmt.Errorf("reading ControllerRevision %s/%s: %w", r.Namespace, r.Name, err)
	}
	return spec, nil
}

// Sort puts revisions in their order, the newest first.
func Sort(list []appsv1.ControllerRevision) {
	slices.SortFunc(list, func(a, b appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.Name, b.Name))
	})
}

// Obsolete are the revisions of a sorted list that may go: neither among the newest nor in use.
func Obsolete(list []appsv1.ControllerRevision, inUse []string) []appsv1.ControllerRevision {
	var out []appsv1.ControllerRevision
	for i, r := range list {
		if i >= kept && !slices.Contains(inUse, r.Name) && r.DeletionTimestamp == nil {
			out = append(out, r)
		}
	}
	return out
}
