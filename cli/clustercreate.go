package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"helm.sh/helm/v4/pkg/strvals"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// wish is what the flags of create say.
type wish struct {
	template, credential, file string
	sets, services             []string
	dryRun                     bool
}

func clusterCreateCommand(s *session) *cobra.Command {
	var want wish
	c := &cobra.Command{
		Use: "create NAME --template TEMPLATE", Short: "Make a cluster",
		Long: `Make a ClusterDeployment, of which the management plane makes a cluster.

Without --credential it is the only Credential of the namespace. With --dry-run the management plane checks
everything, chart and values included, and makes nothing of it.`,
		Example: `  portico cluster create demo --template local-hosted-1-0-0 --set workersNumber=2 --wait
  portico cluster create web --template local-hosted-1-0-0 --service podinfo=podinfo-6-9-2@podinfo`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
	}
	at, wait := s.scopeFlag(c), waitFlags(c, untilReady)
	c.Flags().StringVar(&want.template, "template", "", "the ClusterTemplate that it is made from")
	c.Flags().StringVar(&want.credential, "credential", "", "the Credential that it is made with")
	c.Flags().StringArrayVar(&want.sets, "set", nil, "a value for the template's chart, such as workersNumber=2; can be repeated")
	c.Flags().StringVarP(&want.file, "values", "f", "", "YAML file with values for the template's chart; - is standard input")
	c.Flags().StringArrayVar(&want.services, "service", nil, "a service on the cluster, as name=template or name=template@namespace; can be repeated")
	c.Flags().BoolVar(&want.dryRun, "dry-run", false, "check it only (spec.dryRun)")
	_ = c.RegisterFlagCompletionFunc("template", s.completeTemplates(at, kcm.ClusterTemplateKind))
	_ = c.RegisterFlagCompletionFunc("credential", s.complete(at, namesOf, kcm.CredentialKind))
	c.RunE = func(c *cobra.Command, args []string) error {
		if want.template == "" {
			return usageError{fmt.Errorf("--template is missing\n  see what there is: portico template list --kind cluster -n %s", at.namespace)}
		}
		d, err := s.wanted(at.namespace, args[0], want)
		if err != nil {
			return err
		}
		conn, err := s.connect(c.Context())
		if err != nil {
			return err
		}
		if err := s.create(c.Context(), conn, d); err != nil {
			return err
		}
		return s.waitIf(c.Context(), *wait, conn, d)
	}
	return c
}

// wanted is the ClusterDeployment that the flags describe.
func (s *session) wanted(namespace, name string, want wish) (*kcm.ClusterDeployment, error) {
	values, err := s.values(want.file, want.sets)
	if err != nil {
		return nil, err
	}
	d := &kcm.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: kcm.ClusterDeploymentSpec{
			Template: want.template, Credential: want.credential, DryRun: want.dryRun,
			// Never left out: k0rdent's API makes a dry run of an object without values.
			Config: &kcm.JSON{Raw: values},
		},
	}
	for _, text := range want.services {
		svc, err := parseService(text)
		if err != nil {
			return nil, err
		}
		d.Spec.ServiceSpec.Services = append(d.Spec.ServiceSpec.Services, svc)
	}
	// The management plane asks the same again: here it costs no plane to be told.
	if errs := admission.ValidateClusterDeploymentAlone(d); len(errs) > 0 {
		text := fmt.Sprintf("ClusterDeployment %s cannot be made", client.ObjectKeyFromObject(d))
		for _, e := range errs {
			text += "\n  " + e.Error()
		}
		return nil, usageError{errors.New(text)}
	}
	return d, nil
}

// values are those of the file with the single ones over them, as JSON.
func (s *session) values(file string, sets []string) ([]byte, error) {
	values := map[string]any{}
	if file != "" {
		text, err := s.readFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading values: %w", err)
		}
		if values, err = mapping(text); err != nil {
			return nil, fmt.Errorf("reading values: %s: %w", nameOf(file), err)
		}
	}
	for _, set := range sets {
		if err := strvals.ParseInto(set, values); err != nil {
			return nil, usageError{fmt.Errorf("--set %s: %w, expected key=value", set, err)}
		}
	}
	return json.Marshal(values)
}

// mapping reads YAML that has to be keys with values; nothing at all is no values.
func mapping(text []byte) (map[string]any, error) {
	var read any
	if err := yaml.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("it is not YAML: %w", err)
	}
	switch values := read.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		return values, nil
	}
	return nil, errors.New("expected keys with values, such as workersNumber: 2")
}

func nameOf(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

func (s *session) readFile(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(s.Streams.In)
	}
	return os.ReadFile(file)
}

func parseService(text string) (kcm.Service, error) {
	name, rest, ok := strings.Cut(text, "=")
	template, namespace, _ := strings.Cut(rest, "@")
	if !ok || name == "" || template == "" {
		return kcm.Service{}, usageError{fmt.Errorf("--service is %q, expected name=template or name=template@namespace", text)}
	}
	return kcm.Service{Name: name, Template: template, Namespace: namespace}, nil
}

func (s *session) create(ctx context.Context, c *connection, d *kcm.ClusterDeployment) error {
	if d.Spec.Credential == "" {
		name, err := c.onlyCredential(ctx, d.Namespace)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Streams.Err, "Using Credential %s, the only one in namespace %s.\n", name, d.Namespace)
		d.Spec.Credential = name
	}
	key := client.ObjectKeyFromObject(d).String()
	err := c.kube.Create(ctx, d, client.FieldOwner("portico-cli"))
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("ClusterDeployment %s exists already\n  look at it: portico cluster get %s -n %s", key, d.Name, d.Namespace)
	}
	if err != nil {
		return told("creating ClusterDeployment "+key, err)
	}
	if d.Spec.DryRun {
		fmt.Fprintf(s.Streams.Err, "Cluster %s is checked, and nothing is made of it. See: portico cluster get %s -n %s\n  go on: kubectl patch clusterdeployment %s -n %s --type merge -p '{\"spec\":{\"dryRun\":false}}'\n", key, d.Name, d.Namespace, d.Name, d.Namespace)
		return nil
	}
	fmt.Fprintf(s.Streams.Err, "Cluster %s is being made. See how far it is: portico cluster wait %s -n %s\n", key, d.Name, d.Namespace)
	return nil
}

// onlyCredential is the Credential of a namespace that has one.
func (c *connection) onlyCredential(ctx context.Context, namespace string) (string, error) {
	var list kcm.CredentialList
	if err := c.kube.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return "", told("looking for a Credential", err)
	}
	var names []string
	for _, cred := range list.Items {
		names = append(names, cred.Name)
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return "", fmt.Errorf("there is no Credential in namespace %s\n  create one, and name it: --credential NAME", namespace)
	case 1:
		return names[0], nil
	}
	return "", errors.New("there are several Credentials in namespace " + namespace + "\n  choose one with --credential: " + strings.Join(names, ", "))
}
