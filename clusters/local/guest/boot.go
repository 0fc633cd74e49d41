package guest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"

	"portico.dev/portico/oci"
)

// Boot is the life of PID 1 of the machine in dir. It returns when the machine was told to
// stop; the kernel then ends what still runs in it.
func Boot(dir string) error {
	// Our parent closes the pipe when the control group is ready for us.
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	config, err := load(dir)
	if err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(config.NodeName)); err != nil {
		return fmt.Errorf("naming the machine: %w", err)
	}
	if err := buildRoot(dir, config); err != nil {
		return fmt.Errorf("building the machine's file system: %w", err)
	}
	if err := serveImages(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	children := newChildren()
	defer children.endAll()
	programs := newPrograms(ctx, children)
	if err := programs.apply(config); err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	for s := range signals {
		if s != unix.SIGHUP {
			break
		}
		if err := programs.reload(); err != nil {
			log.Printf("reading the configuration again: %v", err)
		}
	}
	stop()
	programs.wait()
	return nil
}

// serveImages answers containerd's requests for the bundled images.
func serveImages() error {
	listener, err := net.Listen("tcp", registryAddress)
	if err != nil {
		return fmt.Errorf("serving the bundled images: %w", err)
	}
	registry := oci.Registry(os.DirFS(inImages))
	go func() { log.Printf("serving the bundled images: %v", http.Serve(listener, registry)) }()
	return nil
}

// reload reads the configuration again and restarts the programs that it changes.
func (p *programs) reload() error {
	config, err := load(filepath.Dir(inConfig))
	if err != nil {
		return err
	}
	return p.apply(config)
}
