package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/config"
	"portico.dev/portico/server/planning"
)

// Streams are what a command reads and writes.
type Streams struct {
	In  io.Reader
	Out io.Writer // data
	Err io.Writer // talk
}

// Deps is the world of the commands.
type Deps struct {
	Streams Streams
	// Version is the program's.
	Version string
	// UID is the user's number, Getenv reads the environment, Now is the clock.
	UID    int
	Getenv func(string) string
	Now    func() time.Time
	// Plane returns the management plane of a configuration. It asks and starts nothing.
	Plane func(config.Config) Plane

	// Planner makes plans over a client of a management cluster, whose scheme is
	// planning.NewScheme's, and on which services without a word about it are installed by that
	// engine.
	Planner func(kube client.Client, engine string) *planning.Planner

	// dial stands in for the management cluster in tests.
	dial func(context.Context) (*connection, error)
	// dialAPI stands in for the HTTP API in tests.
	dialAPI func() *http.Client
}

// The exit statuses.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitNotReady = 3
)

// errNotReady says that what was asked for is there and not ready, which was shown already.
var errNotReady = errors.New("not ready")

// usageError is a command line that could not be understood.
type usageError struct{ error }

// Run runs one command line and returns the exit status.
func Run(ctx context.Context, d Deps, args []string) int {
	root := Root(d)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNotReady):
		return exitNotReady
	case errors.As(err, &usage):
		fmt.Fprintf(d.Streams.Err, "error: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(d.Streams.Err, "error: %v\n", err)
	return exitFailed
}

// session is what the commands share: the world, and the flags that all of them have.
type session struct {
	Deps
	file, data, listen string
	// kubeconfig and context name a management cluster that is not the data folder's plane.
	kubeconfig, context string
}

// Root returns the command portico with all nouns.
func Root(d Deps) *cobra.Command {
	s := &session{Deps: d}
	root := &cobra.Command{
		Use:           "portico",
		Short:         "One place to define, run and watch Kubernetes clusters",
		Long:          "Portico runs a management plane on this machine, and Kubernetes clusters with what runs on them through it.",
		Version:       d.Version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(d.Streams.In)
	root.SetOut(d.Streams.Out)
	root.SetErr(d.Streams.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetVersionTemplate("{{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&s.file, "config", "", "configuration file (default: portico.yaml in the data folder)")
	flags.StringVar(&s.data, "data", "", "data folder (default: /var/lib/portico for root, else ~/.local/state/portico)")
	flags.StringVar(&s.listen, "listen", "", "address of the management API server; the thirteen ports after it are used too (default: 127.0.0.1:7443)")

	// The nouns, and the verbs that stand alone.
	root.AddGroup(&cobra.Group{ID: groupPlane, Title: "The management plane:"}, &cobra.Group{ID: groupFleet, Title: "Clusters and services:"}, &cobra.Group{ID: groupTelemetry, Title: "Telemetry and cost:"}, &cobra.Group{ID: groupOther, Title: "Other:"})
	add(root, groupPlane, upCommand(s), statusCommand(s), downCommand(s), resetCommand(s), kubeconfigCommand(s), linkCommand(s))
	add(root, groupFleet, fleetCommand(s), clusterCommand(s), serviceCommand(s), rolloutCommand(s), planCommand(s), templateCommand(s), whyCommand(s))
	add(root, groupTelemetry, logsCommand(s), metricsCommand(s), traceCommand(s), alertCommand(s), costCommand(s), budgetCommand(s))
	add(root, groupOther, configCommand(s), versionCommand(s))
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.AddCommand(planeCommand(s), keeperCommand(s))
	addCompletion(root)
	usageErrors(root)
	return root
}

const (
	groupPlane     = "plane"
	groupFleet     = "fleet"
	groupTelemetry = "telemetry"
	groupOther     = "other"
)

func add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		root.AddCommand(c)
	}
}

// addCompletion adds the command that prints scripts for shells. cobra would add it when it
// runs, too late for usageErrors, and would take a shell that it does not know for no question.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
}

// usageErrors makes wrong arguments of c and all below it usage errors.
func usageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w\n  see: %s --help", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageErrors(sub)
	}
}

// config returns the configuration in force.
func (s *session) config() (config.Config, error) {
	return config.Load(config.Sources{UID: s.UID, Getenv: s.Getenv, File: s.file, Data: s.data, Listen: s.listen})
}

// plane returns the management plane in question.
func (s *session) plane() (Plane, error) {
	c, err := s.config()
	if err != nil {
		return nil, err
	}
	return s.Plane(c), nil
}
