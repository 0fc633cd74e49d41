package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/cli"
	"portico.dev/portico/process"
)

// SystemNamespace is where the plane's own objects are, and the clusters of tests.
const SystemNamespace = kcm.DefaultSystemNamespace

// Plane is a management plane with a data folder and ports of its own.
type Plane struct {
	// Bin are the programs that it is started from.
	Bin Installation
	// Data is its folder, Listen the address of its API server.
	Data, Listen string
	// As is the user who runs it, nil for the one who runs the test.
	As *syscall.Credential
}

// NewPlane chooses free ports for a plane in the folder. Nothing is started.
func NewPlane(bin Installation, data string) (*Plane, error) {
	listen, err := freeListen()
	if err != nil {
		return nil, err
	}
	return &Plane{Bin: bin, Data: data, Listen: listen}, nil
}

// portsInARow is how many ports a plane takes, beginning with that of Listen.
const portsInARow = 19

// freeListen is the first address of which so many ports in a row are free. It looks between the
// ports that local clusters take and those that the kernel gives out.
func freeListen() (string, error) {
	const first, last = 28100, 32600
	// Planes of several programs begin to look at different places.
	begin := first + os.Getpid()*portsInARow%(last-first)
	for n := 0; n < last-first; n += portsInARow {
		port := first + (begin-first+n)%(last-first)
		if allFree(port) {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
		}
	}
	return "", errors.New("looking for free ports: not as many in a row between 28100 and 32600")
}

func allFree(first int) bool {
	for port := first; port < first+portsInARow; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// Result is how a command ended.
type Result struct {
	// Out is its data, Talk what it said beside.
	Out, Talk string
	// Code is its exit status.
	Code int
	Took time.Duration
}

// Portico runs bin/portico on the plane. A command that fails is no error here: see Code.
func (p *Plane) Portico(ctx context.Context, args ...string) (Result, error) {
	args = append([]string{"--data", p.Data, "--listen", p.Listen}, args...)
	cmd := exec.CommandContext(ctx, p.Bin.File("portico"), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.As}
	return run(ctx, cmd)
}

// Run runs a program to its end. Only one that could not be run is an error.
func Run(ctx context.Context, program string, args ...string) (Result, error) {
	return run(ctx, exec.CommandContext(ctx, program, args...))
}

func run(ctx context.Context, cmd *exec.Cmd) (Result, error) {
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	began := time.Now()
	err := cmd.Run()
	r := Result{Out: out.String(), Talk: talk.String(), Code: cmd.ProcessState.ExitCode(), Took: time.Since(began)}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return r, fmt.Errorf("running %s %s: %w: %s", filepath.Base(cmd.Path), strings.Join(cmd.Args[1:], " "), errors.Join(err, ctx.Err()), r.Talk)
	}
	return r, nil
}

// must runs a command that has to succeed.
func (p *Plane) must(ctx context.Context, args ...string) (Result, error) {
	r, err := p.Portico(ctx, args...)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("portico %s ended with status %d: %s%s", strings.Join(args, " "), r.Code, r.Out, r.Talk)
	}
	return r, err
}

// Up starts the plane and returns when it is ready, and how long that took.
func (p *Plane) Up(ctx context.Context) (time.Duration, error) {
	r, err := p.must(ctx, "up", "--detach", "--verbose")
	return r.Took, err
}

// Down stops the plane; child clusters keep running.
func (p *Plane) Down(ctx context.Context) error {
	_, err := p.must(ctx, "down")
	return err
}

// Reset removes everything.
func (p *Plane) Reset(ctx context.Context) error {
	_, err := p.must(ctx, "reset", "--yes")
	return err
}

// Status asks how the plane stands.
func (p *Plane) Status(ctx context.Context) (cli.Status, error) {
	r, err := p.Portico(ctx, "status", "-o", "json")
	if err != nil {
		return cli.Status{}, err
	}
	var st cli.Status
	if err := json.Unmarshal([]byte(r.Out), &st); err != nil {
		return st, fmt.Errorf("reading portico status: %w: %s%s", err, r.Out, r.Talk)
	}
	return st, nil
}

// Config is how its administrator reaches the API server.
func (p *Plane) Config(ctx context.Context) (*rest.Config, error) {
	r, err := p.must(ctx, "kubeconfig")
	if err != nil {
		return nil, err
	}
	cfg, err := clientcmd.RESTConfigFromKubeConfig([]byte(r.Out))
	if err != nil {
		return nil, fmt.Errorf("reading portico kubeconfig: %w", err)
	}
	cfg.QPS = -1 // a test does not wait for a client's manners
	cfg.WarningHandler = rest.NoWarnings{}
	return cfg, nil
}

// Client is the administrator's client of the management API server.
func (p *Plane) Client(ctx context.Context) (client.WithWatch, error) {
	cfg, err := p.Config(ctx)
	if err != nil {
		return nil, err
	}
	return newClient(cfg)
}

// Processes are the programs of the plane and of its clusters that run now, each once.
func (p *Plane) Processes() ([]process.Process, error) {
	return process.Table{Owner: p.Data}.List()
}

// Logs are the last lines of every log file that the plane keeps.
func (p *Plane) Logs(lines int) string {
	files, _ := filepath.Glob(filepath.Join(p.Data, "log", "*.log"))
	machines, _ := filepath.Glob(filepath.Join(p.Data, "machines", "*", "log", "*.log"))
	var out strings.Builder
	for _, file := range append(files, machines...) {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		all := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
		fmt.Fprintf(&out, "--- %s, the last of %d lines\n%s\n", strings.TrimPrefix(file, p.Data+"/"), len(all), strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return out.String()
}
