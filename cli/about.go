package cli

import (
	"runtime"

	"github.com/spf13/cobra"
)

func versionCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Show the version of this program", Args: cobra.NoArgs}
	out := outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		v := struct {
			Version string `json:"version"`
			Go      string `json:"go"`
		}{s.Version, runtime.Version()}
		return out.print(s.Streams.Out, shown{value: v, columns: []string{"VERSION", "GO"}, rows: [][]string{{v.Version, v.Go}}})
	}
	return c
}

func configCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at the configuration", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(&cobra.Command{
		Use:   "print",
		Short: "Print the configuration in force: defaults, file, environment and flags together",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			b, err := cfg.Encode()
			if err != nil {
				return err
			}
			_, err = s.Streams.Out.Write(b)
			return err
		},
	})
	return c
}
