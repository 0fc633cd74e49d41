package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"portico.dev/portico/api/config/controlplane"
	configv1 "portico.dev/portico/api/config/v1alpha1"
	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/supervise"
	"portico.dev/portico/process"
)

// The names of the plane's programs in its process table.
const (
	planeProgram      = "plane"
	keeperProgram     = "keeper"
	managementProgram = "management"
	clusterAPIProgram = "cluster-api"

	helmControllerProgram  = "helm-controller"
	addonControllerProgram = "addon-controller"
)

// spec is what the programs have in common.
func (e *embedded) spec(name, path string, args ...string) process.Spec {
	return process.Spec{Name: name, Path: path, Args: args, Env: e.environment(), Dir: string(e.folder), Log: e.folder.Log(name)}
}

// environment is what the programs get of the user's: where things are, and how to reach the
// outside. The rest is nobody's business, and may be secret.
func (e *embedded) environment() []string {
	passed := []string{
		"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	}
	return slices.DeleteFunc(slices.Clone(e.env.Environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(passed, name)
	})
}

// managementControllers are those of Kubernetes' controllers that a plane without nodes and
// pods has work for.
func managementControllers() []string {
	return []string{
		"namespace-controller", "garbage-collector-controller", "resourcequota-controller",
		"serviceaccount-controller", "serviceaccount-token-controller", "clusterrole-aggregation-controller",
	}
}

// managementConfig is that of the management API server, which lets in who comes with a token by the
// file tokens, if there is one.
func (e *embedded) managementConfig(tokens string) configv1.ControlPlaneConfiguration {
	c := configv1.ControlPlaneConfiguration{
		Name: "portico", Dir: e.folder.Management(),
		BindAddress: e.cfg.Host(), Port: int32(e.cfg.Ports().API),
		ControllerManager: configv1.ControllerManagerConfiguration{Controllers: managementControllers()},
		Scheduler:         configv1.SchedulerConfiguration{Disabled: true},
		Tuning:            configv1.TuningConfiguration{GOGC: int32(e.cfg.Management.GarbageCollection)},
	}
	c.APIServer.ExtraArgs = map[string]string{"v": strconv.Itoa(e.cfg.Management.Verbosity)}
	c.APIServer.AuthenticationConfigFile = tokens
	return controlplane.Default(c)
}

func (e *embedded) management(tokens string) (supervise.Program, error) {
	content, err := controlplane.Encode(e.managementConfig(tokens))
	if err != nil {
		return supervise.Program{}, err
	}
	file := filepath.Join(e.folder.Management(), "config.yaml")
	if err := folder.WriteFile(file, content); err != nil {
		return supervise.Program{}, err
	}
	authority, err := e.identities().Authority(e.env.Now())
	if err != nil {
		return supervise.Program{}, err
	}
	inputs := []string{file}
	if tokens != "" {
		inputs = append(inputs, tokens)
	}
	return supervise.Program{
		Spec:   e.spec(managementProgram, e.bin.kube(), "controlplane", "--config", file),
		Inputs: inputs,
		Ready:  answers(e.server()+"/readyz", authority.CertificatePEM()),
		Grace:  20 * time.Second,
	}, nil
}

// clusterAPI is Cluster API's manager. It binds its webhooks to all addresses, for which
// upstream has no flag; they are behind TLS and admit or default objects, nothing else.
func (e *embedded) clusterAPI() supervise.Program {
	files := e.identities().Files(identity.ClusterAPI)
	ports := e.cfg.Ports()
	args := append([]string{
		"--kubeconfig=" + files.Kubeconfig,
		"--webhook-port=" + strconv.Itoa(ports.ClusterAPIWebhooks),
		"--webhook-cert-dir=" + files.Dir,
		"--health-addr=" + loopback(ports.ClusterAPIHealth),
		"--diagnostics-address=" + loopback(ports.ClusterAPIMetrics),
		"--v=" + strconv.Itoa(e.cfg.Management.Verbosity),
		// The gate holds every object back to one pass a second, which a user feels.
		"--feature-gates=ReconcilerRateLimiting=false",
	}, e.cfg.Management.ClusterAPI...)
	return supervise.Program{
		Spec:      e.spec(clusterAPIProgram, e.bin.clusterAPI(), args...),
		Variables: []string{"GOGC=" + strconv.Itoa(e.cfg.Management.GarbageCollection)},
		Inputs:    []string{files.Kubeconfig},
		Ready:     answers(local("http", ports.ClusterAPIHealth)+"/readyz", nil),
		Grace:     10 * time.Second,
	}
}

// helmController is Flux's.
func (e *embedded) helmController() supervise.Program {
	health, kubeconfig := e.cfg.Ports().HelmControllerHealth, e.identities().Files(identity.HelmController).Kubeconfig
	p := e.onDemandProgram(helmControllerProgram, e.bin.helmController(), kubeconfig, health)
	p.Spec.Args = []string{
		"--health-addr=" + loopback(health), "--metrics-addr=0",
		"--feature-gates=ExternalArtifact=true,DirectSourceFetch=true,CancelHealthCheckOnNewRevision=true",
		"--concurrent=20", "--kube-api-qps=200", "--kube-api-burst=400",
		// Upstream's pauses are made for sources far away; ours are on this machine.
		"--http-retry=0", "--min-retry-delay=250ms", "--max-retry-delay=10s", "--requeue-dependency=2s",
		"--graceful-shutdown-timeout=1s",
	}
	p.Variables = append(p.Variables, "KUBECONFIG="+kubeconfig)
	return p
}

// addonControllerVersion is that of the module in engines/sveltos, which the program does not know.
const addonControllerVersion = "v1.12.0"

// addonController is Sveltos'.
func (e *embedded) addonController() supervise.Program {
	health, kubeconfig := e.cfg.Ports().AddonControllerHealth, e.identities().Files(identity.AddonController).Kubeconfig
	p := e.onDemandProgram(addonControllerProgram, e.bin.addonController(), kubeconfig, health)
	p.Spec.Args = []string{
		"--kubeconfig=" + kubeconfig, "--version=" + addonControllerVersion, "--disable-telemetry",
		"--health-addr=" + loopback(health), "--diagnostics-address=0",
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--conflict-retry-time=5s", "--health-error-retry-time=5s",
	}
	p.Variables = append(p.Variables, "NAMESPACE="+sveltosNamespace)
	return p
}

// onDemandProgram is what the programs of engines have in common: a home of their own, since they
// keep files there that are nobody else's business.
func (e *embedded) onDemandProgram(name, path, kubeconfig string, health int) supervise.Program {
	home := e.folder.Engine(name)
	p := supervise.Program{
		Spec: e.spec(name, path),
		Variables: []string{
			"HOME=" + home, "TMPDIR=" + filepath.Join(home, "tmp"), "GOGC=" + strconv.Itoa(e.cfg.Management.GarbageCollection),
		},
		Inputs: []string{kubeconfig},
		Ready:  answers(local("http", health)+"/readyz", nil),
		Grace:  10 * time.Second,
	}
	p.Spec.Env = slices.DeleteFunc(p.Spec.Env, func(v string) bool {
		return strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "TMPDIR=")
	})
	return p
}

func (e *embedded) keeper() supervise.Program {
	return supervise.Program{Spec: e.spec(keeperProgram, e.env.Executable, "keeper", "--config", e.folder.Config()), Grace: 5 * time.Second}
}

// answers returns a check whether url answers with success, by the given authority.
func answers(url string, authority []byte) func(context.Context) error {
	return answersTo(&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusting(authority)}, DisableKeepAlives: true}}, url)
}

// trusting is the pool of one authority.
func trusting(authority []byte) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return roots
}

// answersTo is the same for a client that knows whom to trust.
func answersTo(c *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		r, err := c.Do(req)
		if err != nil {
			return err
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, r.Status)
		}
		return nil
	}
}
