package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"portico.dev/portico/api/config/v1alpha1"
	"portico.dev/portico/kubernetes/controlplane"
)

// Env is the world of a program.
type Env struct {
	Args     []string // as in os.Args
	Out, Err io.Writer
}

// run starts a program and returns its exit code. args[0] is the program's name.
type run func(e Env, args []string) int

func programs() map[string]run {
	return map[string]run{
		"etcd":                    etcd,
		"kube-apiserver":          upstream(apiserver.NewAPIServerCommand),
		"kube-controller-manager": upstream(controllermanager.NewControllerManagerCommand),
		"kube-scheduler":          upstream(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
		"kubelet":                 upstream(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
		"kube-proxy":              upstream(proxy.NewProxyCommand),
		"kubectl":                 kubectl,
		"controlplane":            controlPlane,
		"version":                 printVersion,
	}
}

// Run runs the program that e.Args name and returns its exit code.
func Run(e Env) int {
	all := programs()
	args := slices.Clone(e.Args)
	if len(args) > 0 {
		args[0] = filepath.Base(args[0])
	}
	for ; len(args) > 0; args = args[1:] {
		if r, ok := all[args[0]]; ok {
			return r(e, args)
		}
		if len(args) < len(e.Args) {
			break // the first argument is no program either
		}
	}
	fmt.Fprintf(e.Err, "usage: portico-kube PROGRAM [flags]\nprograms: %s\n", strings.Join(slices.Sorted(maps.Keys(all)), " "))
	return 2
}

// upstream programs read os.Args, each by its own way.
func upstream(command func() *cobra.Command) run {
	return func(_ Env, args []string) int {
		os.Args = args
		return cli.Run(command())
	}
}

// kubectl prints its errors itself, and finds plugins and aliases by os.Args.
func kubectl(_ Env, args []string) int {
	os.Args = args
	if err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}

func etcd(_ Env, args []string) int {
	os.Args = args
	etcdmain.Main(args)
	return 0
}

func printVersion(e Env, _ []string) int {
	fmt.Fprintln(e.Out, version.Get().GitVersion)
	return 0
}

func controlPlane(e Env, args []string) int {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(e.Err)
	file := flags.String("config", "", "`file` with a ControlPlaneConfiguration")
	check := flags.Bool("check", false, "say whether it would start, and start nothing")
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if *file == "" || flags.NArg() != 0 {
		fmt.Fprintln(e.Err, "usage: portico-kube controlplane --config FILE [--check]")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := controlplane.Run
	if *check {
		do = controlplane.Check
	}
	if err := runControlPlane(ctx, *file, do); err != nil {
		fmt.Fprintf(e.Err, "portico-kube controlplane: %v\n", err)
		if errors.As(err, new(controlplane.RefusedError)) {
			return refused
		}
		return 1
	}
	return 0
}

// refused is the exit status of a check that found the configuration to be wrong, which is nothing
// that trying again would mend.
const refused = 3

// controlPlaneRun is what can be done with a configuration.
type controlPlaneRun func(context.Context, v1alpha1.ControlPlaneConfiguration, func() time.Time) error

func runControlPlane(ctx context.Context, file string, do controlPlaneRun) error {
	c, err := controlplane.ReadConfig(file)
	if err != nil {
		return err
	}
	return do(ctx, c, time.Now)
}
