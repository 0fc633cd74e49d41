// Command volumes provisions persistent volumes on the disk of the node that it runs on.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/rest"

	"portico.dev/portico/clusters/local/volumes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "volumes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var here volumes.Here
	flags := flag.NewFlagSet("volumes", flag.ContinueOnError)
	flags.StringVar(&here.Node, "node", "", "name of the node that this runs on")
	flags.StringVar(&here.Provisioner, "provisioner", "", "provisioner of the storage classes to serve")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	worker, err := volumes.New(config, here)
	if err != nil {
		return err
	}
	return worker.Run(ctx)
}
