package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func upCommand(s *session) *cobra.Command {
	o := UpOptions{Talk: s.Streams.Err}
	c := &cobra.Command{
		Use:   "up",
		Short: "Start the management plane",
		Long: `Start the management plane: API server, Cluster API, controllers, registry.

Runs until it is interrupted, which stops the plane. Child clusters keep running without it,
and are found again by the next start. On a terminal it ends with a link that signs you in to
the HTTP API.`,
		Example: `  portico up                 # in the foreground
  portico up --detach        # returns when everything is ready`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := s.plane()
			if err != nil {
				return err
			}
			o.Ready = func(ctx context.Context) { s.invite(ctx, o.Talk) }
			return p.Up(c.Context(), o)
		},
	}
	c.Flags().BoolVarP(&o.Detach, "detach", "d", false, "return when the plane is ready, and leave it running")
	c.Flags().BoolVarP(&o.Verbose, "verbose", "v", false, "show every step with its times")
	return c
}

func downCommand(s *session) *cobra.Command {
	o := DownOptions{Talk: s.Streams.Err}
	c := &cobra.Command{
		Use:   "down",
		Short: "Stop the management plane; child clusters keep running",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := s.plane()
			if err != nil {
				return err
			}
			return p.Down(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.Clusters, "clusters", false, "stop the child clusters too")
	return c
}

func planeCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:    "plane",
		Short:  "The plane's own process; up starts it",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := s.plane()
			if err != nil {
				return err
			}
			return p.Serve(c.Context())
		},
	}
}

func keeperCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:    "keeper",
		Short:  "Starts the plane's process again; the plane starts it",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := s.plane()
			if err != nil {
				return err
			}
			return p.Keep(c.Context())
		},
	}
}
