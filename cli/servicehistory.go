package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/revision"
)

// serviceOwner is an object whose spec wants services.
type serviceOwner struct {
	client.Object
	kind string
	// services is its wish.
	services *kcm.ServiceSpec
}

// ownerHelp says how an owner is written on the command line.
const ownerHelp = `OWNER is a cluster's name, mcs/NAME for a MultiClusterService, or nmcs/NAME for a NamespacedMultiClusterService.`

// owner reads the owner of services that a user means.
func (s *session) owner(ctx context.Context, at *scope, word string) (*connection, serviceOwner, error) {
	what, err := parseOwner(word, at.namespace)
	if err != nil {
		return nil, serviceOwner{}, err
	}
	c, err := s.connect(ctx)
	if err != nil {
		return nil, serviceOwner{}, err
	}
	key := client.ObjectKeyFromObject(what)
	err = c.kube.Get(ctx, key, what.Object)
	if apierrors.IsNotFound(err) {
		others, err := c.read.List(ctx, key.Namespace, what.kind)
		if err != nil {
			return nil, what, told("reading "+what.String(), err)
		}
		return nil, what, noSuch(what.kind, key.Name, key.Namespace, namesOf(others))
	}
	return c, what, told("reading "+what.String(), err)
}

// recorded reads the owner of services that a user means, with its recorded wishes.
func (s *session) recorded(ctx context.Context, at *scope, word string) (*connection, serviceOwner, []serviceRevision, error) {
	c, owner, err := s.owner(ctx, at, word)
	if err != nil {
		return nil, owner, nil, err
	}
	all, err := c.revisions(ctx, owner)
	return c, owner, all, err
}

func parseOwner(word, namespace string) (serviceOwner, error) {
	kind, name, found := strings.Cut(word, "/")
	if !found {
		kind, name = "cluster", word
	}
	switch strings.ToLower(kind) {
	case "cluster", "clusterdeployment", "cd":
		d := &kcm.ClusterDeployment{}
		d.Namespace, d.Name = namespace, name
		return serviceOwner{d, kcm.ClusterDeploymentKind, &d.Spec.ServiceSpec}, nil
	case "mcs", "multiclusterservice":
		m := &kcm.MultiClusterService{}
		m.Name = name
		return serviceOwner{m, kcm.MultiClusterServiceKind, &m.Spec.ServiceSpec}, nil
	case "nmcs", "namespacedmulticlusterservice":
		m := &statev1.NamespacedMultiClusterService{}
		m.Namespace, m.Name = namespace, name
		return serviceOwner{m, statev1.NamespacedMultiClusterServiceKind, &m.Spec.ServiceSpec}, nil
	}
	return serviceOwner{}, usageError{fmt.Errorf("%q is no owner of services, expected NAME, cluster/NAME, mcs/NAME or nmcs/NAME", word)}
}

// String names the owner for people.
func (o serviceOwner) String() string {
	if o.GetNamespace() == "" {
		return o.kind + " " + o.GetName()
	}
	return o.kind + " " + o.GetNamespace() + "/" + o.GetName()
}

// serviceRevision is one recorded wish of an owner.
type serviceRevision struct {
	Revision int64     `json:"revision"`
	Digest   string    `json:"digest"`
	Recorded time.Time `json:"recorded"`
	// Current says that it is what the owner wants now.
	Current bool            `json:"current"`
	Spec    kcm.ServiceSpec `json:"spec"`
}

// revisions are the recorded wishes of an owner, the newest first.
func (c *connection) revisions(ctx context.Context, of serviceOwner) ([]serviceRevision, error) {
	found, err := revision.NewStore(c.kube).List(ctx, revision.Owner{
		Kind: statev1.SubjectKind(of.kind), Namespace: cmp.Or(of.GetNamespace(), kcm.DefaultSystemNamespace), Name: of.GetName(),
	})
	if err != nil {
		return nil, told("listing the revisions of "+of.String(), err)
	}
	var out []serviceRevision
	for _, r := range found {
		if !of.has(&r) {
			continue
		}
		digest := strings.TrimPrefix(r.Name, r.Name[:strings.LastIndex(r.Name, "-")+1])
		v := serviceRevision{Revision: r.Revision, Digest: digest, Recorded: r.CreationTimestamp.Time}
		if err := json.Unmarshal(r.Data.Raw, &v.Spec); err != nil {
			return nil, fmt.Errorf("reading ControllerRevision %s/%s: %w", r.Namespace, r.Name, err)
		}
		out = append(out, v)
	}
	if len(out) > 0 {
		out[0].Current = true
	}
	return out, nil
}

// has says whether a revision is the owner's: labels are too short for long names, and those of two
// owners may be the same. A revision that names no owner, as after a restore, goes by its labels.
func (o serviceOwner) has(r *appsv1.ControllerRevision) bool {
	other := func(ref metav1.OwnerReference) bool { return ref.Kind != o.kind || ref.Name != o.GetName() }
	return len(r.OwnerReferences) == 0 || !slices.ContainsFunc(r.OwnerReferences, other)
}

func serviceHistoryCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "history OWNER", Short: "List what services were wanted before", Long: "List the recorded wishes of an owner of services, the newest first.\n\n" + ownerHelp, Args: cobra.ExactArgs(1)}
	at, out := s.scopeFlag(c), outputFlag(c)
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		_, owner, all, err := s.recorded(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		if len(all) == 0 {
			fmt.Fprintf(s.Streams.Err, "Nothing is recorded of %s yet.\n", owner)
		}
		return out.print(s.Streams.Out, showRevisions(all, s.Now()))
	}
	return c
}

func showRevisions(all []serviceRevision, now time.Time) shown {
	table := shown{value: all, names: []string{}, columns: []string{"REVISION", "DIGEST", "AGE", "SERVICES", "CHANGED"}}
	for i, r := range all {
		var before kcm.ServiceSpec
		if i+1 < len(all) {
			before = all[i+1].Spec
		}
		table.names = append(table.names, strconv.FormatInt(r.Revision, 10))
		table.rows = append(table.rows, []string{
			strconv.FormatInt(r.Revision, 10), r.Digest, age(now, r.Recorded), strconv.Itoa(len(r.Spec.Services)), cmp.Or(changedServices(before, r.Spec), "-"),
		})
	}
	return table
}

// changedServices says in short what one wish changes of another.
func changedServices(was, now kcm.ServiceSpec) string {
	key := func(v kcm.Service) string { return cmp.Or(v.Namespace, "default") + "/" + v.Name }
	before := map[string]kcm.Service{}
	for _, v := range was.Services {
		before[key(v)] = v
	}
	var words []string
	for _, v := range now.Services {
		old, known := before[key(v)]
		delete(before, key(v))
		switch {
		case !known:
			words = append(words, "+"+key(v))
		case old.Template != v.Template:
			words = append(words, fmt.Sprintf("%s: %s → %s", key(v), old.Template, v.Template))
		case !sameService(old, v):
			words = append(words, "~"+key(v))
		}
	}
	for k := range before {
		words = append(words, "-"+k)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func sameService(a, b kcm.Service) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func serviceDiffCommand(s *session) *cobra.Command {
	var from, to int64
	c := &cobra.Command{
		Use: "diff OWNER", Short: "Compare what services are wanted with what was wanted before",
		Long: "Compare two recorded wishes of an owner of services: the newest with the one before it, unless others are named.\n\n" + ownerHelp,
		Args: cobra.ExactArgs(1),
	}
	at := s.scopeFlag(c)
	c.Flags().Int64Var(&from, "from", 0, "the older revision (default: the one before --to)")
	c.Flags().Int64Var(&to, "to", 0, "the newer revision (default: the newest)")
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		_, owner, all, err := s.recorded(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		newer, err := pick(all, to, 0, owner)
		if err != nil {
			return err
		}
		older, err := pick(all, from, newer+1, owner)
		if err != nil {
			return err
		}
		text, err := specDiff(all[older], all[newer])
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(s.Streams.Out, text)
		return err
	}
	return c
}

// pick is the index of a revision; 0 asks for the one at an index.
func pick(all []serviceRevision, revision int64, index int, owner serviceOwner) (int, error) {
	if revision != 0 {
		index = slices.IndexFunc(all, func(r serviceRevision) bool { return r.Revision == revision })
	}
	if index >= 0 && index < len(all) {
		return index, nil
	}
	if revision == 0 {
		return 0, fmt.Errorf("%s has no revision before: there is nothing to compare with or to go back to", owner)
	}
	var numbers []string
	for _, r := range all {
		numbers = append(numbers, strconv.FormatInt(r.Revision, 10))
	}
	return 0, fmt.Errorf("%s has no revision %d\n  there are: %s", owner, revision, cmp.Or(strings.Join(numbers, ", "), "none"))
}

func specDiff(older, newer serviceRevision) (string, error) {
	a, err := yaml.Marshal(older.Spec)
	if err != nil {
		return "", err
	}
	b, err := yaml.Marshal(newer.Spec)
	if err != nil {
		return "", err
	}
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(string(a)), B: difflib.SplitLines(string(b)), Context: 3,
		FromFile: fmt.Sprintf("revision %d", older.Revision), ToFile: fmt.Sprintf("revision %d", newer.Revision),
	})
}

func serviceRollbackCommand(s *session) *cobra.Command {
	var to int64
	c := &cobra.Command{
		Use: "rollback OWNER", Short: "Want again what was wanted before",
		Long: `Write an earlier wish into the spec of an owner of services: the one before the newest, unless --to names another.
Where the spec comes from Git, change it there, or Git will win.

` + ownerHelp,
		Example: `  portico service rollback demo
  portico service rollback mcs/ingress --to 3`,
		Args: cobra.ExactArgs(1),
	}
	at := s.scopeFlag(c)
	c.Flags().Int64Var(&to, "to", 0, "the revision to go back to (default: the one before the newest)")
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		conn, owner, all, err := s.recorded(c.Context(), at, args[0])
		if err != nil {
			return err
		}
		i, err := pick(all, to, 1, owner)
		if err != nil {
			return err
		}
		if err := conn.wantServices(c.Context(), owner, all[i].Spec); err != nil {
			return err
		}
		fmt.Fprintf(s.Streams.Err, "%s wants the services of revision %d again. See how it goes: portico service list -A\n", owner, all[i].Revision)
		return nil
	}
	return c
}

// wantServices replaces the services of an owner. What others have written meanwhile is not lost:
// the API server refuses the change then.
func (c *connection) wantServices(ctx context.Context, owner serviceOwner, spec kcm.ServiceSpec) error {
	text, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/resourceVersion", "value": owner.GetResourceVersion()},
		{"op": "add", "path": "/spec/serviceSpec", "value": spec},
	})
	if err != nil {
		return err
	}
	err = c.kube.Patch(ctx, owner.Object, client.RawPatch(types.JSONPatchType, text), client.FieldOwner("portico-cli"))
	if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "resourceVersion") {
		return errors.New(owner.String() + " was changed by somebody else meanwhile: try again")
	}
	return told("changing "+owner.String(), err)
}
