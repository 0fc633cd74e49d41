package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
	"portico.dev/portico/app/steps"
	"portico.dev/portico/app/supervise"
	"portico.dev/portico/cli"
	"portico.dev/portico/config"
	"portico.dev/portico/kube/source/store"
	"portico.dev/portico/observability/topology/directory"
	"portico.dev/portico/process"
	"portico.dev/portico/server/inventory/feed"
)

// embedded is the plane of one data folder, seen from outside: it fulfils cli.Plane.
type embedded struct {
	env    Env
	cfg    config.Config
	folder folder.Folder
	table  process.Table
	bin    installation
}

// Embedded is the wiring of `portico up`. It asks and starts nothing.
func Embedded(e Env, c config.Config) cli.Plane { return newEmbedded(e, c) }

func newEmbedded(e Env, c config.Config) *embedded {
	return &embedded{env: e, cfg: c, folder: folder.Folder(c.Data), table: process.Table{Owner: c.Data}, bin: installedAt(e.Executable)}
}

// server is the URL of the management API server.
func (e *embedded) server() string { return "https://" + e.cfg.Listen }

// local is the URL of a port that only programs of this machine ask.
func local(scheme string, port int) string {
	return (&url.URL{Scheme: scheme, Host: loopback(port)}).String()
}

func loopback(port int) string { return net.JoinHostPort(config.Loopback, strconv.Itoa(port)) }

// registry is the address of the registry of bundled charts.
func (e *embedded) registry() string {
	return net.JoinHostPort(e.cfg.Host(), strconv.Itoa(e.cfg.Ports().Registry))
}

func (e *embedded) identities() identity.Site {
	return identity.Site{Folder: e.folder, Host: e.cfg.Host(), Server: e.server()}
}

// plane is the plane from inside: the state of the process that runs it.
type plane struct {
	*embedded
	log        *slog.Logger
	began      time.Time
	supervisor *supervise.Supervisor
	journal    *journal
	// fail ends the plane with the error of a part that ran and ended.
	fail context.CancelCauseFunc
	// lent is what lets the programs of engines reach the management cluster.
	lent *lentAccess
	// installer is there once the control plane serves.
	installer *install.Installer
	// artifacts is there once they are served.
	artifacts *store.Store
	// stores keep telemetry, once something uses them.
	stores *stores
	// directory knows the other regions that keep telemetry.
	directory *directory.Directory
	// costs are prices and budgets.
	costs *costs
	// feed is the fleet as the HTTP API shows it.
	feed *feed.Feed
}

// The steps of a start.
const (
	// wholeStart is the event that ends a start's progress.
	wholeStart = "start"

	stepCertificates = "certificates"
	stepServer       = "management API server"
	stepManagement   = "management control plane"
	stepRegistry     = "registry of charts and images"
	stepHTTP         = "HTTP API"
	stepArtifacts    = "artifact server"
	stepAccess       = "access rules"
	stepDefinitions  = "definitions of kinds"
	stepClusterAPI   = "Cluster API"
	stepControllers  = "controllers and webhooks"
	stepBundle       = "bundled templates"
	stepKeeper       = "keeper"
)

// steps are the whole start. Each begins when what it needs is done.
func (p *plane) steps() []steps.Step {
	needs := func(names ...string) []string { return names }
	// A first start that fails is told to the user, and not tried again. That of a successor must
	// be, even if the keeper ends meanwhile: so that one is kept from the beginning.
	beforeKeeper := needs(stepBundle, stepClusterAPI)
	if p.env.Getenv(successorVariable) != "" {
		beforeKeeper = nil
	}
	return []steps.Step{
		{Name: stepCertificates, Do: p.makeCertificates},
		{Name: stepServer, Needs: needs(stepCertificates), Do: p.startManagement},
		{Name: stepRegistry, Needs: needs(stepCertificates), Do: p.serveRegistry},
		{Name: stepHTTP, Needs: needs(stepServer), Do: p.serveAPI},
		{Name: stepArtifacts, Do: p.serveArtifacts},
		{Name: stepAccess, Needs: needs(stepServer), Do: p.installAccess},
		{Name: stepDefinitions, Needs: needs(stepServer), Do: p.installDefinitions},
		// Ready later than the server takes definitions: its own access rules come last.
		{Name: stepManagement, Needs: needs(stepServer), Do: p.awaitManagement},
		{Name: stepClusterAPI, Needs: needs(stepAccess, stepDefinitions, stepManagement), Do: p.startClusterAPI},
		{Name: stepControllers, Needs: needs(stepAccess, stepDefinitions, stepManagement, stepArtifacts), Do: p.startControllers},
		{Name: stepBundle, Needs: needs(stepControllers, stepRegistry), Do: p.installBundle},
		{Name: stepKeeper, Needs: beforeKeeper, Do: p.startKeeper},
	}
}

// run runs a part of the plane for as long as ctx; its end is the plane's.
func (p *plane) run(ctx context.Context, part func(context.Context) error) {
	go func() {
		err := part(ctx)
		if ctx.Err() != nil {
			return // it was to end
		}
		if err == nil {
			err = errors.New("it says no reason")
		}
		p.fail(fmt.Errorf("a part of the plane ended: %w", err))
	}()
}
