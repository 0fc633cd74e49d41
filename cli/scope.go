package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/explain"
)

// scope is the value of the flags -n and -A.
type scope struct {
	namespace string
	all       bool
}

// scopeFlag gives c the flag -n.
func (s *session) scopeFlag(c *cobra.Command) *scope {
	at := &scope{}
	c.Flags().StringVarP(&at.namespace, "namespace", "n", kcm.DefaultSystemNamespace, "the namespace on the management cluster")
	_ = c.RegisterFlagCompletionFunc("namespace", cobra.NoFileCompletions)
	return at
}

// scopeFlags gives c the flags -n and -A.
func (s *session) scopeFlags(c *cobra.Command) *scope {
	at := s.scopeFlag(c)
	c.Flags().BoolVarP(&at.all, "all-namespaces", "A", false, "look in all namespaces")
	return at
}

// in is the namespace to list; empty means all.
func (s *scope) in() string {
	if s.all {
		return ""
	}
	return s.namespace
}

// completion offers words to a shell.
type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// complete offers names of objects of some kinds. Without an API server that answers quickly
// there is nothing to offer, and nothing to say: a shell shows no errors.
func (s *session) complete(at *scope, names func(explain.Snapshot) []string, kinds ...string) completion {
	return func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := soon(c.Context())
		defer cancel()
		saw, err := s.list(ctx, at.in(), kinds...)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found := slices.DeleteFunc(names(saw), func(n string) bool { return !strings.HasPrefix(n, typed) })
		slices.Sort(found)
		return slices.Compact(found), cobra.ShellCompDirectiveNoFileComp
	}
}

// first offers words for the first argument alone.
func first(offer completion) completion {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(c, args, typed)
	}
}

func (s *session) completeClusters(at *scope) completion {
	return s.complete(at, namesOf, kcm.ClusterDeploymentKind)
}

func (s *session) completeTemplates(at *scope, kind string) completion {
	return s.complete(at, namesOf, kind)
}

func namesOf(saw explain.Snapshot) []string {
	var names []string
	for _, o := range saw.Objects {
		names = append(names, o.GetName())
	}
	return names
}

// list reads the objects of some kinds.
func (s *session) list(ctx context.Context, namespace string, kinds ...string) (explain.Snapshot, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return explain.Snapshot{}, err
	}
	saw, err := c.read.List(ctx, namespace, kinds...)
	return saw, told("listing", err)
}
