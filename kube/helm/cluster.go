package helm

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/kubectl/pkg/validation"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"portico.dev/portico/kube/rule"
)

// Helm puts the name of the program on what it applies, and looks for that name when it
// takes over what an older Helm has applied. Ours is helm's own, whatever our binary is
// called, so that the helm command and we can follow each other on one release. Helm knows
// no other place to say so than this variable.
func init() { kube.ManagedFieldsManager = "helm" }

// cluster holds what all requests to one cluster share: connections, a bound on their
// number, and what is known of the cluster's kinds.
type cluster struct {
	config    *rest.Config
	transport http.RoundTripper
	mapper    meta.RESTMapper

	mu sync.Mutex
	// says is the version of which the cluster has told at the time of asked.
	says  common.KubeVersion
	asked time.Time
}

// versionLasts is how long the cluster's version is taken for what it was. It changes when the
// cluster is upgraded; a release of that minute would have been made before in any case.
const versionLasts = time.Minute

func newCluster(config *rest.Config, c Config) (*cluster, error) {
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing connections to %s: %w", config.Host, err)
	}
	// Without certificates in the configuration, client-go would take a host without a
	// scheme for http: the address is spelt out while they are still there.
	url, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading the address %s: %w", config.Host, err)
	}
	// The transport knows the certificates and the credentials; the configuration that
	// Helm's clients are made of carries only what is left. It has no timeout, since that
	// would end watches, too: the context bounds every request.
	plain := &rest.Config{
		Host:          url.String(),
		APIPath:       config.APIPath,
		UserAgent:     config.UserAgent,
		ContentConfig: config.ContentConfig,
		RateLimiter:   flowcontrol.NewTokenBucketRateLimiter(c.QPS, c.Burst),
	}
	out := &cluster{config: plain, transport: transport}
	lookup := out.bound(context.Background())
	client, err := rest.HTTPClientFor(lookup)
	if err != nil {
		return nil, fmt.Errorf("preparing discovery of %s: %w", config.Host, err)
	}
	if out.mapper, err = apiutil.NewDynamicRESTMapper(lookup, client); err != nil {
		return nil, fmt.Errorf("preparing discovery of %s: %w", config.Host, err)
	}
	return out, nil
}

// bound returns a configuration whose requests end with the context. Helm's actions take
// no context; a cancelled one must not leave an action running behind our back.
func (c *cluster) bound(ctx context.Context) *rest.Config {
	config := rest.CopyConfig(c.config)
	config.Transport = bounded{ctx: ctx, next: c.transport}
	return config
}

// version returns the cluster's version.
func (c *cluster) version(s *session, now time.Time) (common.KubeVersion, error) {
	c.mu.Lock()
	says, asked := c.says, c.asked
	c.mu.Unlock()
	if age := now.Sub(asked); !asked.IsZero() && age >= 0 && age < versionLasts {
		return says, nil
	}
	discovery, err := s.ToDiscoveryClient()
	if err != nil {
		return says, err
	}
	answer, err := discovery.ServerVersion()
	if err != nil {
		return says, fmt.Errorf("asking for the cluster's version: %w", err)
	}
	parsed, err := common.ParseKubeVersion(answer.GitVersion)
	if err != nil {
		return says, fmt.Errorf("reading the cluster's version %q: %w", answer.GitVersion, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.says, c.asked = *parsed, now
	return *parsed, nil
}

type bounded struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	// Below the end comes from a goroutine, and a short request could be faster.
	if b.ctx.Err() != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, context.Cause(b.ctx)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(b.ctx, func() { cancel(context.Cause(b.ctx)) })
	end := func() { stop(); cancel(nil) }
	response, err := b.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	response.Body = &endingBody{ReadCloser: response.Body, end: end}
	return response, nil
}

type endingBody struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// session makes clients for one action. It implements kube.Factory and Helm's
// RESTClientGetter.
type session struct {
	config *rest.Config
	mapper meta.RESTMapper

	once      sync.Once
	clientset *kubernetes.Clientset
	err       error
}

func (c *cluster) session(ctx context.Context) *session {
	return &session{config: c.bound(ctx), mapper: c.mapper}
}

// ToRESTConfig implements kube.Factory.
func (s *session) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(s.config), nil }

// ToRESTMapper implements genericclioptions.RESTClientGetter.
func (s *session) ToRESTMapper() (meta.RESTMapper, error) { return s.mapper, nil }

// ToDiscoveryClient implements genericclioptions.RESTClientGetter.
func (s *session) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	client, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		return nil, fmt.Errorf("preparing discovery: %w", err)
	}
	return memory.NewMemCacheClient(client), nil
}

// ToRawKubeConfigLoader implements kube.Factory. There is no kubeconfig file.
func (s *session) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, nil)
}

// DynamicClient implements kube.Factory.
func (s *session) DynamicClient() (dynamic.Interface, error) {
	return dynamic.NewForConfig(s.config)
}

// KubernetesClientSet implements kube.Factory.
func (s *session) KubernetesClientSet() (*kubernetes.Clientset, error) {
	s.once.Do(func() { s.clientset, s.err = kubernetes.NewForConfig(s.config) })
	return s.clientset, s.err
}

// NewBuilder implements kube.Factory.
func (s *session) NewBuilder() *resource.Builder { return resource.NewBuilder(s) }

// Validator implements kube.Factory. Objects are applied on the server's side, and the
// server refuses unknown fields itself: its schemas are not fetched to know it before.
func (s *session) Validator(directive string) (validation.Schema, error) {
	if directive == string(kube.FieldValidationDirectiveIgnore) {
		return validation.NullSchema{}, nil
	}
	return validation.NoDoubleKeySchema{}, nil
}

// Config says how a cluster is used.
type Config struct {
	// QPS and Burst bound the requests to the cluster; zero means 50 and 100.
	QPS   float32
	Burst int
	// Log gets Helm's own words; nil discards them.
	Log *slog.Logger
	// Clock is the time; nil is the system's.
	Clock func() time.Time
	// Patience is how long another program, the helm command for example, may be at work on
	// a release before its unfinished record counts as a crash's; zero means ten minutes.
	Patience time.Duration
	// Rules compiles health rules, which call their object by RuleVariable; nil for one that
	// nobody shares.
	Rules *rule.Rules
}

func (c Config) withDefaults() Config {
	if c.QPS <= 0 {
		c.QPS = 50
	}
	if c.Burst <= 0 {
		c.Burst = 2 * int(c.QPS)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Patience <= 0 {
		c.Patience = 10 * time.Minute
	}
	if c.Rules == nil {
		c.Rules = rule.About(RuleVariable)
	}
	return c
}
