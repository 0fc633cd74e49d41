package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func statusCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how the management plane stands",
		Long:  "Show each program of the management plane and of the child clusters. The exit status is 3 if the plane is not ready.",
		Args:  cobra.NoArgs,
	}
	out := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		p, err := s.plane()
		if err != nil {
			return err
		}
		st, err := p.Status(c.Context())
		if err != nil {
			return err
		}
		if err := out.print(s.Streams.Out, showStatus(st, s.Now())); err != nil {
			return err
		}
		if st.Ready {
			return nil
		}
		fmt.Fprintf(s.Streams.Err, "%s\n", notReady(st))
		return errNotReady
	}
	return c
}

func showStatus(st Status, now time.Time) shown {
	table := shown{value: st, columns: []string{"PROGRAM", "STATE", "PID", "SINCE", "RESTARTS", "MEMORY", "PRIVATE", "REASON"}}
	for _, p := range st.Programs {
		pid := "-"
		if p.PID != 0 {
			pid = strconv.Itoa(p.PID)
		}
		table.rows = append(table.rows, []string{
			p.Name, p.State, pid, age(now, p.Since), strconv.Itoa(p.Restarts), mebibytes(p.Memory), mebibytes(p.PrivateMemory), p.Reason,
		})
	}
	return table
}

// notReady is a sentence with the next step.
func notReady(st Status) string {
	if st.Version == "" {
		return "The management plane of " + st.Data + " does not run. Start it: portico up"
	}
	for _, p := range st.Programs {
		if p.Reason != "" {
			return fmt.Sprintf("The management plane is not ready: %s: %s. Its log: %s/log/%s.log", p.Name, p.Reason, st.Data, p.Name)
		}
	}
	return "The management plane is still starting."
}
