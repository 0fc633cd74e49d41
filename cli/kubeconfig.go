package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func kubeconfigCommand(s *session) *cobra.Command {
	merge := false
	c := &cobra.Command{
		Use:   "kubeconfig [CLUSTER]",
		Short: "Print the kubeconfig of the management plane or of a cluster",
		Long: `Print the kubeconfig of the management plane, or of a cluster. Its context is called portico for the plane,
portico-CLUSTER for a cluster of namespace ` + kcm.DefaultSystemNamespace + `, and portico-NAMESPACE.CLUSTER for one of another namespace.`,
		Example: `  portico kubeconfig > plane.kubeconfig
  portico kubeconfig demo --merge && kubectl --context portico-demo get nodes`,
		Args: cobra.MaximumNArgs(1),
	}
	at := s.scopeFlag(c)
	c.Flags().BoolVar(&merge, "merge", false, "add it to your kubeconfig instead of printing it")
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := s.plane()
		if err != nil {
			return err
		}
		of := ClusterRef{}
		if len(args) == 1 {
			of = ClusterRef{Namespace: at.namespace, Name: args[0]}
		}
		content, err := p.Kubeconfig(c.Context(), of)
		if err != nil {
			return err
		}
		if merge {
			return s.merge(content)
		}
		_, err = s.Streams.Out.Write(content)
		return err
	}
	return c
}

// merge adds a kubeconfig to the user's. Entries of the same name are replaced, which is said
// if they led elsewhere; the current context stays, unless there is none.
func (s *session) merge(content []byte) error {
	file := s.userKubeconfig()
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
	for _, name := range slices.Sorted(maps.Keys(added.Clusters)) {
		if old := all.Clusters[name]; old != nil && old.Server != added.Clusters[name].Server {
			fmt.Fprintf(s.Streams.Err, "replacing %s, which led to %s\n", name, old.Server)
		}
	}
	maps.Copy(all.Clusters, added.Clusters)
	maps.Copy(all.AuthInfos, added.AuthInfos)
	maps.Copy(all.Contexts, added.Contexts)
	if all.CurrentContext == "" {
		all.CurrentContext = added.CurrentContext
	}
	if err := clientcmd.WriteToFile(*all, file); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	fmt.Fprintf(s.Streams.Err, "merged into %s; use it: kubectl --context %s get namespaces\n", file, added.CurrentContext)
	return nil
}

// userKubeconfig is the file that kubectl would write a new context to.
func (s *session) userKubeconfig() string {
	for _, file := range filepath.SplitList(s.Getenv("KUBECONFIG")) {
		if file != "" {
			return file
		}
	}
	return filepath.Join(s.Getenv("HOME"), ".kube", "config")
}
