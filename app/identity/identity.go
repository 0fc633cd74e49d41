package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/config"
	"portico.dev/portico/pki"
)

const (
	authorityValidity = 10 * 365 * 24 * time.Hour
	validity          = 365 * 24 * time.Hour
)

// Program is one that gets certificates.
type Program struct {
	// Name is its folder's and, behind "portico:", its user's.
	Name string
	// Serves says that it needs a server certificate for the plane's address and loopback.
	Serves bool
}

// The programs of the plane.
var (
	ClusterAPI  = Program{Name: "cluster-api", Serves: true}
	Controllers = Program{Name: "controllers", Serves: true}
	Registry    = Program{Name: "registry", Serves: true}
	// HTTP serves the HTTP API. It may do nothing itself: whoever asks is who acts.
	HTTP = Program{Name: "http", Serves: true}
	// Services installs services on the management cluster itself.
	Services = Program{Name: "services"}
	// HelmController and AddonController are the programs of the engines flux and sveltos.
	HelmController  = Program{Name: "helm-controller"}
	AddonController = Program{Name: "addon-controller"}
	// Telemetry serves what is sent to and asked of the stores of telemetry.
	Telemetry = Program{Name: "telemetry", Serves: true}
	// Collector is the plane's own collector, which looks and writes nothing.
	Collector = Program{Name: "collector"}
	// Admin is the person at the keyboard; its group may do everything.
	Admin = Program{Name: "admin"}
)

// All are the programs of the plane.
func All() []Program {
	return []Program{ClusterAPI, Controllers, Registry, HTTP, Services, HelmController, AddonController, Telemetry, Collector, Admin}
}

// User is the program's name in the eyes of the API server.
func (p Program) User() string { return "portico:" + p.Name }

// mastersGroup may do everything, whatever RBAC says.
const mastersGroup = "system:masters"

func (p Program) client() pki.Leaf {
	l := pki.Leaf{CommonName: p.User(), Usage: pki.Client, Validity: validity}
	if p == Admin {
		l.Organizations = []string{mastersGroup}
	}
	return l
}

func (p Program) server(host string) pki.Leaf {
	l := pki.Leaf{CommonName: p.User(), Names: []string{host, config.Loopback, "localhost"}, Usage: pki.Server, Validity: validity}
	if p == Telemetry {
		// Local clusters find it under this machine's address on their own network.
		for index := 1; index < 255; index++ {
			l.Names = append(l.Names, network.Host{}.Of(network.Cluster{Index: index}).HostIP.String())
		}
	}
	return l
}

// Site is where identities are made.
type Site struct {
	Folder folder.Folder
	// Host is the address that the plane listens on, Server the API server's URL.
	Host, Server string
}

// Files are the paths of a program's certificates.
type Files struct {
	// Kubeconfig names the API server and the client certificate in Client.
	Kubeconfig, Client string
	// Dir holds the server's certificate as tls.crt and tls.key.
	Dir string
}

// Files returns where p's certificates are.
func (s Site) Files(p Program) Files {
	dir := s.Folder.Identity(p.Name)
	return Files{Kubeconfig: filepath.Join(dir, "kubeconfig"), Client: filepath.Join(dir, "client.pem"), Dir: dir}
}

// Authority returns the plane's authority, which is made if there is none.
func (s Site) Authority(now time.Time) (*pki.Authority, error) {
	certificate, key := filepath.Join(s.Folder.Management(), "pki", "ca.crt"), filepath.Join(s.Folder.Management(), "pki", "ca.key")
	pair, err := read(certificate, key)
	if err == nil {
		return pki.ParseAuthority(pair)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the plane's authority: %w", err)
	}
	authority, err := pki.NewAuthority("portico", authorityValidity, now)
	if err != nil {
		return nil, err
	}
	if pair, err = authority.Pair(); err != nil {
		return nil, err
	}
	// The key first: a certificate without its key could never be used, the other way round is made anew.
	if err := folder.WriteFile(key, pair.Key); err != nil {
		return nil, err
	}
	return authority, folder.WriteFile(certificate, pair.Certificate)
}

// Ensure gives all programs certificates that will do, and returns when it has to be called again.
func (s Site) Ensure(now time.Time) (next time.Time, err error) {
	authority, err := s.Authority(now)
	if err != nil {
		return time.Time{}, err
	}
	for _, p := range All() {
		due, err := s.ensure(authority, p, now)
		if err != nil {
			return time.Time{}, fmt.Errorf("giving %s its certificates: %w", p.Name, err)
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next, nil
}

func (s Site) ensure(authority *pki.Authority, p Program, now time.Time) (time.Time, error) {
	files := s.Files(p)
	client, err := bundle(authority, p.client(), files.Client, now)
	if err != nil {
		return time.Time{}, err
	}
	kubeconfig := pki.Kubeconfig{Cluster: "portico", Server: s.Server, Authority: authority.CertificatePEM(), User: p.User(), ClientFile: files.Client}
	if err := folder.WriteFile(files.Kubeconfig, kubeconfig.Bytes()); err != nil {
		return time.Time{}, err
	}
	next := pki.RenewAt(client)
	if !p.Serves {
		return next, nil
	}
	server, err := pair(authority, p.server(s.Host), files.Dir, now)
	if err != nil {
		return time.Time{}, err
	}
	if due := pki.RenewAt(server); due.Before(next) {
		next = due
	}
	return next, nil
}

// bundle keeps certificate and key in one file.
func bundle(authority *pki.Authority, leaf pki.Leaf, file string, now time.Time) (pki.Pair, error) {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pki.Pair{}, err
	}
	p := pki.ParseBundle(old)
	if authority.Check(p, leaf, now) == "" {
		return p, nil
	}
	if p, err = authority.Issue(leaf, now); err != nil {
		return pki.Pair{}, err
	}
	return p, folder.WriteFile(file, p.Bundle())
}

// pair keeps certificate and key in tls.crt and tls.key, as servers built on
// controller-runtime expect them.
func pair(authority *pki.Authority, leaf pki.Leaf, dir string, now time.Time) (pki.Pair, error) {
	certificate, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	p, err := read(certificate, key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pki.Pair{}, err
	}
	if authority.Check(p, leaf, now) == "" {
		return p, nil
	}
	if p, err = authority.Issue(leaf, now); err != nil {
		return pki.Pair{}, err
	}
	if err := folder.WriteFile(key, p.Key); err != nil {
		return pki.Pair{}, err
	}
	return p, folder.WriteFile(certificate, p.Certificate)
}

func read(certificate, key string) (pki.Pair, error) {
	c, err := os.ReadFile(certificate)
	if err != nil {
		return pki.Pair{}, err
	}
	k, err := os.ReadFile(key)
	if err != nil {
		return pki.Pair{}, err
	}
	return pki.Pair{Certificate: c, Key: k}, nil
}
