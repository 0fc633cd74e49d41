package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"portico.dev/portico/server/explain"
)

func whyCommand(s *session) *cobra.Command {
	c := s.fleetFlags(&cobra.Command{
		Use: "why KIND NAME", Short: "Explain why an object stands as it does",
		Long: `Walk from an object to the first cause of its not being well, and say in a sentence which object that is,
since when, why, and what to do. The exit status is 0 when there is an answer, also when that is that all is well.

KIND is one of ` + strings.Join(rootWords(), ", ") + `.`,
		Example: `  portico why cluster demo
  portico why machine demo-md-x7k2p-9sd4c -o yaml`,
		Args: cobra.ExactArgs(2),
	})
	at, out := s.scopeFlag(c), outputFlag(c)
	c.ValidArgsFunction = s.completeWhy(at)
	c.RunE = func(c *cobra.Command, args []string) error {
		root, err := rootOf(args[0])
		if err != nil {
			return err
		}
		of := explain.Ref{Kind: root.Kind, Namespace: at.namespace, Name: args[1]}
		if root.ClusterScoped {
			of.Namespace = ""
		}
		tree, now, err := s.tree(c.Context(), of)
		if err != nil {
			return err
		}
		why := explain.Why(tree, now)
		if *out != outTable {
			return out.print(s.Streams.Out, shown{value: why, names: []string{causeName(why)}})
		}
		fmt.Fprintln(s.Streams.Out, why.Sentence)
		if why.Next != "" {
			fmt.Fprintln(s.Streams.Out, "  "+why.Next)
		}
		return nil
	}
	return c
}

// causeName is the object at which a problem begins, or the one that is well.
func causeName(why explain.Cause) string {
	if why.Cause == nil {
		return why.Object.String()
	}
	return why.Cause.String()
}

func rootWords() []string {
	var words []string
	for _, r := range explain.Roots() {
		words = append(words, r.Words[0])
	}
	return words
}

// rootOf is the kind that a user means, in whatever case and number.
func rootOf(word string) (explain.Root, error) {
	plain := strings.ToLower(word)
	for _, r := range explain.Roots() {
		if slices.Contains(r.Words, plain) || slices.Contains(r.Words, strings.TrimSuffix(plain, "s")) {
			return r, nil
		}
	}
	return explain.Root{}, usageError{fmt.Errorf("kind %q cannot be explained\n  there are: %s", word, strings.Join(rootWords(), ", "))}
}

// completeWhy offers kinds first, and then names.
func (s *session) completeWhy(at *scope) completion {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return rootWords(), cobra.ShellCompDirectiveNoFileComp
		case 1:
			if root, err := rootOf(args[0]); err == nil {
				return s.complete(at, namesOf, root.Kind)(c, nil, typed)
			}
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}
