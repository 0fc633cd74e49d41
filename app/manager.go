package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"portico.dev/portico/admission/webhook"
	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	controlplanev1 "portico.dev/portico/api/local/controlplane/v1alpha1"
	infrav1 "portico.dev/portico/api/local/infrastructure/v1alpha1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	sveltosv1 "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
	"portico.dev/portico/config"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/state/engine"
	smp "portico.dev/portico/state/provider"
)

// newScheme knows every kind that a controller reads or writes.
func newScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	var errs []error
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1.AddToScheme, sourcev1.AddToScheme,
		kcm.AddToScheme, kof.AddToScheme, infrav1.AddToScheme, controlplanev1.AddToScheme, sveltosv1.AddToScheme, statev1.AddToScheme, costv1.AddToScheme,
	} {
		errs = append(errs, add(s))
	}
	return s, errors.Join(errs...)
}

// startControllers starts the controllers and webhooks in this process and returns when the
// caches are filled and the webhooks answer.
func (p *plane) startControllers(ctx context.Context) error {
	mgr, err := p.newManager()
	if err != nil {
		return err
	}
	if err := p.controllers(life(ctx), mgr); err != nil {
		return err
	}
	p.run(life(ctx), mgr.Start)
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return fmt.Errorf("filling the caches: %w", context.Cause(ctx))
	}
	if err := errors.Join(p.serveOwn(ctx, mgr.GetCache()), p.awaitWebhooks(ctx, mgr)); err != nil {
		return err
	}
	return p.installWebhooks(ctx)
}

// admit registers our webhooks.
func (p *plane) admit(mgr manager.Manager, engines []engine.Engine) {
	var rules smp.Rules
	webhook.Register(mgr.GetWebhookServer(), webhook.Options{
		Reader: mgr.GetClient(), Live: mgr.GetAPIReader(), Mapper: mgr.GetRESTMapper(), Scheme: mgr.GetScheme(), SystemNamespace: install.SystemNamespace,
		AnyUpgrade:  p.cfg.Management.AnyUpgrade,
		ParseValues: parseValues,
		CheckPrices: checkPrices,
		CompileRule: rules.Check, CheckRules: alert.Validate, MayUseTenant: webhook.TenantReviews(mgr.GetClient()), Clock: p.env.Now,
		Engines: p.preview(mgr, engines).Refusals,
	})
}

func (p *plane) newManager() (manager.Manager, error) {
	cfg, err := p.connect(identity.Controllers)
	if err != nil {
		return nil, err
	}
	cfg.QPS, cfg.Burst = 200, 400
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	log := logr.FromSlogHandler(p.log.Handler())
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	files := p.identities().Files(identity.Controllers)
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:         scheme,
		LeaderElection: false, // the folder's lock has decided
		Metrics:        server.Options{BindAddress: "0"},
		WebhookServer:  ctrlwebhook.NewServer(ctrlwebhook.Options{Host: config.Loopback, Port: p.cfg.Ports().Webhooks, CertDir: files.Dir}),
		// Secrets and ConfigMaps are read when needed: a fleet has many, and they are large.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: uncached()}},
	})
	if err != nil {
		return nil, fmt.Errorf("making the controller manager: %w", err)
	}
	return mgr, nil
}

// awaitWebhooks returns when the webhook server answers.
func (p *plane) awaitWebhooks(ctx context.Context, mgr manager.Manager) error {
	started := mgr.GetWebhookServer().StartedChecker()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return err
	}
	return install.Await(ctx, "our webhooks", func(context.Context) error { return started(req) })
}

// installWebhooks tells the API server about our webhooks, once they answer.
func (p *plane) installWebhooks(ctx context.Context) error {
	authority, err := p.identities().Authority(p.env.Now())
	if err != nil {
		return err
	}
	base := local("https", p.cfg.Ports().Webhooks)
	mutating, validating := webhook.Configurations("portico", func(path string) admissionregistrationv1.WebhookClientConfig {
		url := base + path
		return admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: authority.CertificatePEM()}
	})
	var objects []*unstructured.Unstructured
	for _, o := range []client.Object{mutating, validating} {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return err
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return p.installer.Apply(ctx, objects)
}
