package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"portico.dev/portico/config"
	"portico.dev/portico/server/explain"
)

// toldPlane is what a plane of a scenario says, and what it was asked to do.
type toldPlane struct {
	// Stands is its status; its data folder and server are those of the configuration.
	Stands Status `json:"status"`
	// Talk is what it tells a person on the way, Error why it does not do what it is asked.
	Talk  string `json:"talk"`
	Error string `json:"error"`

	cfg   config.Config
	calls []string
}

func (p *toldPlane) called(talk io.Writer, what string, args ...any) error {
	p.calls = append(p.calls, fmt.Sprintf(what, args...))
	fmt.Fprint(talk, p.Talk)
	if p.Error != "" {
		return errors.New(p.Error)
	}
	return nil
}

func (p *toldPlane) Up(ctx context.Context, o UpOptions) error {
	if err := p.called(o.Talk, "Up detach=%t verbose=%t", o.Detach, o.Verbose); err != nil {
		return err
	}
	o.Ready(ctx)
	return nil
}

func (p *toldPlane) Down(_ context.Context, o DownOptions) error {
	return p.called(o.Talk, "Down clusters=%t", o.Clusters)
}

func (p *toldPlane) Reset(_ context.Context, talk io.Writer) error {
	return p.called(talk, "Reset %s", p.cfg.Data)
}

func (p *toldPlane) Serve(context.Context) error { return p.called(io.Discard, "Serve") }
func (p *toldPlane) Keep(context.Context) error  { return p.called(io.Discard, "Keep") }

func (p *toldPlane) Status(context.Context) (Status, error) {
	p.Stands.Data, p.Stands.Server = p.cfg.Data, "https://"+p.cfg.Listen
	if p.Stands.Programs == nil {
		p.Stands.Programs = []Program{}
	}
	return p.Stands, p.called(io.Discard, "Status")
}

// Kubeconfig is named as the contract wants it, and leads to a server that tells whose it is.
func (p *toldPlane) Kubeconfig(_ context.Context, of ClusterRef) ([]byte, error) {
	name, server := "portico", "https://"+p.cfg.Listen
	if of.Name != "" {
		name, server = explain.Context(of.Namespace, of.Name), "https://"+of.Name+"."+of.Namespace+":6443"
	}
	if err := p.called(io.Discard, "Kubeconfig %q %q", of.Namespace, of.Name); err != nil {
		return nil, err
	}
	out := api.NewConfig()
	out.Clusters[name] = &api.Cluster{Server: server}
	out.AuthInfos[name] = &api.AuthInfo{Token: "of-" + name}
	out.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	out.CurrentContext = name
	return clientcmd.Write(*out)
}

// home is the user's folder: files go in, and one comes out.
type home string

// homeOfStories is what the folder is called in what comes out.
const homeOfStories = "/home/me"

func newHome(files map[string]string) (home, error) {
	dir, err := os.MkdirTemp("", "home")
	if err != nil {
		return "", err
	}
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return home(dir), nil
}

// getenv knows the folder and nothing else.
func (h home) getenv(name string) string {
	if name == "HOME" {
		return string(h)
	}
	return ""
}

// kubeconfig is the user's, empty if there is none.
func (h home) kubeconfig() string {
	content, err := os.ReadFile(filepath.Join(string(h), ".kube", "config"))
	if err != nil {
		return ""
	}
	return h.plain(string(content))
}

func (h home) plain(text string) string { return strings.ReplaceAll(text, string(h), homeOfStories) }
func (h home) remove()                  { _ = os.RemoveAll(string(h)) }
