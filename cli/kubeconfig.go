package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// systemNamespace is where clusters are, unless another namespace is named.
const systemNamespace = "kcm-system"

func kubeconfigCommand(s *session) *cobra.Command {
	var (
		merge bool
		of    ClusterRef
	)
	c := &cobra.Command{
		Use:   "kubeconfig [CLUSTER]",
		Short: "Print the kubeconfig of the management plane or of a cluster",
		Example: `  portico kubeconfig > plane.kubeconfig
  portico kubeconfig demo --merge && kubectl --context portico-demo get nodes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := s.plane()
			if err != nil {
				return err
			}
			ref := ClusterRef{}
			if len(args) == 1 {
				ref = ClusterRef{Namespace: of.Namespace, Name: args[0]}
			}
			content, err := p.Kubeconfig(c.Context(), ref)
			if err != nil {
				return err
			}
			if merge {
				return s.merge(content)
			}
			_, err = s.Streams.Out.Write(content)
			return err
		},
	}
	c.Flags().BoolVar(&merge, "merge", false, "add it to your kubeconfig instead of printing it")
	c.Flags().StringVarP(&of.Namespace, "namespace", "n", systemNamespace, "the cluster's namespace")
	return c
}

// merge adds a kubeconfig to the user's. Entries of the same name are replaced; the current
// context stays, unless there is none.
func (s *session) merge(content []byte) error {
	file := s.Getenv("KUBECONFIG")
	if list := filepath.SplitList(file); len(list) > 0 {
		file = list[0]
	} else {
		file = filepath.Join(s.Getenv("HOME"), ".kube", "config")
	}
	added, err := clientcmd.Load(content)
	if err != nil {
		return fmt.Errorf("reading the new kubeconfig: %w", err)
	}
	all, err := clientcmd.LoadFromFile(file)
	if os.IsNotExist(err) {
		all, err = api.NewConfig(), nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	for name, v := range added.Clusters {
		all.Clusters[name] = v
	}
	for name, v := range added.AuthInfos {
		all.AuthInfos[name] = v
	}
	for name, v := range added.Contexts {
		all.Contexts[name] = v
	}
	if all.CurrentContext == "" {
		all.CurrentContext = added.CurrentContext
	}
	if err := clientcmd.WriteToFile(*all, file); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	fmt.Fprintf(s.Streams.Err, "merged into %s; use it: kubectl --context %s get namespaces\n", file, added.CurrentContext)
	return nil
}
