package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func resetCommand(s *session) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "reset",
		Short: "Remove the management plane, all clusters and all data",
		Long: `Remove everything that portico made on this machine under this data folder: the management
plane, child clusters with their machines and networks, and the folder itself. There is no way back.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			if !yes {
				if err := s.confirm("Remove the plane, all its clusters and all data in " + cfg.Data + "?"); err != nil {
					return err
				}
			}
			return s.Plane(cfg).Reset(c.Context(), s.Streams.Err)
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

// confirm asks a question that only "yes" answers.
func (s *session) confirm(question string) error {
	fmt.Fprintf(s.Streams.Err, "%s [yes/no] ", question)
	answer, err := bufio.NewReader(s.Streams.In).ReadString('\n')
	if err != nil {
		fmt.Fprintln(s.Streams.Err) // nobody ended the line
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "yes" && a != "y" {
		return errors.New("nothing was removed: the answer was not yes\n  without a question: portico reset --yes")
	}
	return nil
}
