package program

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"portico.dev/portico/store/gate"
	"portico.dev/portico/store/keep"
	"portico.dev/portico/store/serve"
)

// Env is what the program has of the world.
type Env struct {
	Args     []string // without the program's name
	Out, Err io.Writer
	Clock    func() time.Time
	// Ready is told the address on which the store listens; nil where nobody waits for it.
	Ready func(address net.Addr)
}

// Run serves until the context ends. It returns the exit code.
func Run(ctx context.Context, env Env) int {
	cfg, err := configure(env)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = run(ctx, cfg, env)
	}
	if err != nil {
		fmt.Fprintln(env.Err, "portico-store:", err)
		return 1
	}
	return 0
}

// configure reads the file that --config names, and the flags, which count before it.
func configure(env Env) (Config, error) {
	var file string
	first := flag.NewFlagSet("portico-store", flag.ContinueOnError)
	first.SetOutput(env.Err)
	ignored := Default()
	bind(first, &ignored, &file)
	if err := first.Parse(env.Args); err != nil {
		return Config{}, err
	}
	if first.NArg() > 0 {
		return Config{}, fmt.Errorf("unexpected argument %q", first.Arg(0))
	}
	cfg := Default()
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return Config{}, fmt.Errorf("reading the configuration: %w", err)
		}
		if cfg, err = Parse(data); err != nil {
			return Config{}, err
		}
	}
	second := flag.NewFlagSet("portico-store", flag.ContinueOnError)
	second.SetOutput(io.Discard)
	bind(second, &cfg, &file)
	if err := second.Parse(env.Args); err != nil {
		return Config{}, err
	}
	return cfg, cfg.Check()
}

func bind(flags *flag.FlagSet, c *Config, file *string) {
	flags.StringVar(file, "config", "", "YAML `file` with the configuration; flags count before it")
	flags.StringVar(&c.Listen, "listen", c.Listen, "`address` to serve on")
	flags.StringVar(&c.Dir, "dir", c.Dir, "`folder` of everything that is kept")
	flags.StringVar(&c.TLS.CertFile, "tls-cert-file", c.TLS.CertFile, "certificate to serve with")
	flags.StringVar(&c.TLS.KeyFile, "tls-key-file", c.TLS.KeyFile, "its private key")
	flags.StringVar(&c.TLS.ClientCAFile, "tls-client-ca-file", c.TLS.ClientCAFile, "authorities of the certificates that clients then need")
	flags.StringVar(&c.UsersFile, "users-file", c.UsersFile, "YAML list of users: name and password or token, and tenant")
	flags.Var(&c.Retention.Time, "retention-time", "how long rows are kept")
	flags.Var(&c.Retention.Bytes, "retention-bytes", "how much room rows may take before the oldest are dropped; 0 is any")
	flags.Var(&c.Limits.Memory, "memory", "about how much memory to use")
	flags.IntVar(&c.Limits.Threads, "threads", c.Limits.Threads, "threads of a search or a write; 0 is one per processor")
	flags.Var(&c.Limits.Quota, "quota", "from how much room on writes are refused; 0 is never")
	flags.Var(&c.Limits.Reserve, "reserve", "how much of the disk is left to others")
	flags.IntVar(&c.Limits.FullStatus, "full-status", c.Limits.FullStatus, "status of a write without room: 507, 503 or 429")
}

func run(ctx context.Context, cfg Config, env Env) error {
	log := slog.New(slog.NewTextHandler(env.Err, nil))
	users, err := readUsers(cfg.UsersFile)
	if err != nil {
		return err
	}
	secure, err := readTLS(cfg.TLS)
	if err != nil {
		return err
	}
	// The database has its own half of the memory; this is for the rest.
	debug.SetMemoryLimit(int64(cfg.Limits.Memory) / 2)
	world := keep.World{Clock: env.Clock, Log: log}
	keeper, err := keep.Open(ctx, cfg.keeper(runtime.GOMAXPROCS(0)), world)
	if err != nil {
		return fmt.Errorf("opening %s: %w", cfg.Dir, err)
	}
	defer func() { _ = keeper.Close() }()
	handler := cfg.handler(users)
	if cfg.Metrics.URL != "" {
		metrics, err := cfg.openGate(handler.Requests, gate.World(world))
		if err != nil {
			return err
		}
		defer func() { _ = metrics.Close() }()
		handler.Metrics = metrics
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	log.Info("serving", "address", listener.Addr().String(), "dir", cfg.Dir)
	if env.Ready != nil {
		env.Ready(listener.Addr())
	}
	answers := serve.New(handler, keeper, world)
	server := &http.Server{
		Handler:           answers,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(answers.EndTails)
	return serveUntil(ctx, listener, server)
}

// serveUntil serves until the context ends, and then gives requests some time to end as well.
func serveUntil(ctx context.Context, listener net.Listener, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

func readTLS(c TLS) (*tls.Config, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	// The files are read for each connection's handshake, so that a renewed certificate counts at once.
	secure := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		return &certificate, err
	}}
	if _, err := secure.GetCertificate(nil); err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	if c.ClientCAFile == "" {
		return secure, nil
	}
	data, err := os.ReadFile(c.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("reading tls.clientCAFile: %w", err)
	}
	secure.ClientCAs, secure.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !secure.ClientCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("reading tls.clientCAFile %s: expected certificates in PEM", c.ClientCAFile)
	}
	return secure, nil
}
