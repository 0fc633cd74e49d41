package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/remote"
	"portico.dev/portico/server/explain/reader"
	"portico.dev/portico/server/planning"
)

// connection is how the commands about clusters and services reach the API server.
type connection struct {
	kube client.WithWatch
	read *reader.Reader
	// planner makes plans with the rights of the connection.
	planner *planning.Planner
}

// fleetFlags gives a noun the flags that say which API server is meant.
func (s *session) fleetFlags(c *cobra.Command) *cobra.Command {
	c.PersistentFlags().StringVar(&s.kubeconfig, "kubeconfig", "", "kubeconfig of the management cluster (default: that of the data folder's plane, else $KUBECONFIG)")
	c.PersistentFlags().StringVar(&s.context, "context", "", "context of the kubeconfig")
	return c
}

// connect reaches the management cluster.
func (s *session) connect(ctx context.Context) (*connection, error) {
	if s.dial != nil {
		return s.dial(ctx)
	}
	config, err := s.restConfig(ctx)
	if err != nil {
		return nil, err
	}
	config.QPS, config.UserAgent = -1, "portico"
	scheme, err := planning.NewScheme()
	if err != nil {
		return nil, err
	}
	kube, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the management API server: %w", err)
	}
	children := remote.New(kube, config, slog.New(slog.NewTextHandler(io.Discard, nil)))
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return &connection{kube: kube, read: reader.New(kube, reader.ChildrenOf(children), s.Now), planner: s.Planner(kube, cfg.State.Engine)}, nil
}

// restConfig finds the management cluster: the one that flags name; else the plane of the data
// folder, since all other commands mean that one too; else the user's kubeconfig.
func (s *session) restConfig(ctx context.Context) (*rest.Config, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	if s.kubeconfig == "" && s.context == "" {
		if _, err := os.Stat(cfg.Data); err == nil || s.Getenv("KUBECONFIG") == "" {
			content, err := s.Plane(cfg).Kubeconfig(ctx, ClusterRef{})
			if err != nil {
				return nil, fmt.Errorf("%w\n  or name a management cluster elsewhere: --kubeconfig FILE", err)
			}
			return clientcmd.RESTConfigFromKubeConfig(content)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: s.context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return config, nil
}

// serverTalk is what the API server puts before what is wrong with an object.
var serverTalk = regexp.MustCompile(`^(admission webhook "[^"]*" denied the request: )?([^ ]+ "[^"]*" is (invalid|forbidden): )?`)

// told says an error of the API server as a sentence with the next step.
func told(doing string, err error) error {
	var (
		lost   *url.Error
		status apierrors.APIStatus
	)
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s: this API server does not know Portico's kinds\n  is it a management cluster? name another: --kubeconfig FILE or --context NAME", doing)
	case errors.As(err, &lost):
		return fmt.Errorf("%s: the management API server at %s does not answer: %w\n  see how it stands: portico status", doing, hostOf(lost.URL), lost.Err)
	case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err) && errors.As(err, &status) && status.Status().Details != nil && len(status.Status().Details.Causes) == 0:
		return fmt.Errorf("%s: %w\n  use a kubeconfig of somebody who may: --kubeconfig FILE", doing, err)
	case errors.As(err, &status):
		return fmt.Errorf("%s: %s", doing, serverTalk.ReplaceAllString(status.Status().Message, ""))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// soon bounds what completion may ask: a shell waits for it.
func soon(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 2*time.Second)
}
