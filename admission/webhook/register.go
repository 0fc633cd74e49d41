package webhook

import (
	"context"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
)

// Options are what the handlers need.
type Options struct {
	// Reader reads other objects. A cache will do.
	Reader client.Reader
	// Live reads past the cache, which lags: nothing is refused, no deletion is judged, and nothing
	// that two could take at once is given, by what Reader says alone. May be nil if Reader is no cache.
	Live client.Reader
	// Mapper knows which kinds are served.
	Mapper meta.RESTMapper
	// Scheme knows the kinds of k0rdent.mirantis.com, state.portico.dev and cost.portico.dev.
	Scheme *runtime.Scheme
	// SystemNamespace is where templates for all, and kubeconfigs of regions, are.
	SystemNamespace string
	// AnyUpgrade lets the template of a cluster change to any other, not only along chains.
	AnyUpgrade bool
	// ParseValues says what is wrong with values that hold expressions. May be nil.
	ParseValues func(text string) error
	// CompileRule says what is wrong with the readiness rule of a StateManagementProvider. May
	// be nil.
	CompileRule func(rule string) error
	// MayUseTenant says whether somebody may let clusters of any namespace be a tenant's. Where it is
	// nil, nobody's tenant is guarded.
	MayUseTenant func(ctx context.Context, who authenticationv1.UserInfo, tenant string) (bool, error)
	// Clock says how long a tenant that was free is held for whoever asked first. Where it is nil, it is
	// held for ever.
	Clock fleet.Clock
	// CheckRules says what is wrong with a ConfigMap of alerting or recording rules by itself. Where it is
	// nil, they are not judged.
	CheckRules func(*corev1.ConfigMap) field.ErrorList
	// CheckPrices says what is wrong with the prices of a PriceList of that name; text is what its source
	// holds. Where it is nil, prices are not judged.
	CheckPrices func(name string, spec costv1.PriceListSpec, text string) field.ErrorList
	// Engines says what the engine that a spec chooses cannot do of it, with the engine's name.
	// It is asked about new and changed service specs that nothing else is wrong with. namespace
	// is where their templates are; paths begin at the object, with spec.serviceSpec. An error
	// means that it could not be told. May be nil.
	Engines func(ctx context.Context, namespace string, spec kcm.ServiceSpec) (field.ErrorList, error)
}

// Registry takes handlers; controller-runtime's webhook server is one.
type Registry interface {
	Register(path string, handler http.Handler)
}

// Register adds the handlers of all kinds to a server.
func Register(to Registry, o Options) {
	for _, k := range kinds(o) {
		if k.mutates() {
			to.Register(MutatePath(k.kind), &admission.Webhook{Handler: k.mutator, RecoverPanic: yes()})
		}
		to.Register(ValidatePath(k.kind), &admission.Webhook{Handler: k.validator, RecoverPanic: yes()})
	}
}

func yes() *bool {
	b := true
	return &b
}

// served is one kind with its handlers.
type served struct {
	kind, plural string
	// deletion is true if there are rules for deleting an object.
	deletion bool
	// only are the parts of a widespread kind that an API server asks about; none means all of it.
	only               []selection
	mutator, validator admission.Handler
}

func (s served) mutates() bool { return s.mutator != nil }

// kinds lists every kind that has rules, in the order of the alphabet.
func kinds(o Options) []served {
	return []served{
		serve(o, kcm.AccessManagementKind, "accessmanagements", world.accessManagement),
		serve(o, costv1.BudgetKind, "budgets", world.budget),
		serve(o, kcm.ClusterAuditPolicyKind, "clusterauditpolicies", world.clusterAuditPolicy),
		serve(o, kcm.ClusterAuthenticationKind, "clusterauthentications", world.clusterAuthentication),
		serve(o, kcm.ClusterDeploymentKind, "clusterdeployments", world.clusterDeployment),
		serve(o, kcm.ClusterIPAMClaimKind, "clusteripamclaims", world.clusterIPAMClaim),
		serve(o, kcm.ClusterTemplateKind, "clustertemplates", world.clusterTemplate),
		serve(o, kcm.ClusterTemplateChainKind, "clustertemplatechains", world.clusterTemplateChain),
		rulesOnly(serve(o, configMapKind, "configmaps", world.alertRules)),
		serve(o, kcm.CredentialKind, "credentials", world.credential),
		serve(o, kcm.ManagementKind, "managements", world.management),
		serve(o, kcm.ManagementBackupKind, "managementbackups", world.managementBackup),
		serve(o, kcm.MultiClusterServiceKind, "multiclusterservices", world.multiClusterService),
		serve(o, statev1.NamespacedMultiClusterServiceKind, "namespacedmulticlusterservices", world.namespacedMultiClusterService),
		serve(o, costv1.PriceListKind, "pricelists", world.priceList),
		serve(o, kcm.ProviderTemplateKind, "providertemplates", world.providerTemplate),
		serve(o, kcm.RegionKind, "regions", world.region),
		serve(o, kcm.ReleaseKind, "releases", world.release),
		serve(o, statev1.RolloutKind, "rollouts", world.rollout),
		serve(o, kcm.ServiceTemplateKind, "servicetemplates", world.serviceTemplate),
		serve(o, kcm.ServiceTemplateChainKind, "servicetemplatechains", world.serviceTemplateChain),
		serve(o, kcm.StateManagementProviderKind, "statemanagementproviders", world.stateManagementProvider),
	}
}

// versionOf is the API version that a kind is judged in.
func versionOf(kind string) schema.GroupVersion {
	switch kind {
	case costv1.BudgetKind, costv1.PriceListKind:
		return costv1.GroupVersion
	case configMapKind:
		return corev1.SchemeGroupVersion
	case statev1.NamespacedMultiClusterServiceKind, statev1.RolloutKind:
		return statev1.GroupVersion
	}
	return kcm.GroupVersion
}

// serve makes the handlers of a kind. of returns its rules in a world: they are asked in one that is read
// from the cache, and in one that is read as it is now.
func serve[T any, P object[T]](o Options, kind, plural string, of func(world) rules[T, P]) served {
	clock := o.Clock
	if clock == nil {
		clock = func() time.Time { return time.Time{} } // what was claimed stays claimed
	}
	w := world{o, &firsts{clock: clock, of: map[string]first{}}}
	h := handler[T, P]{kind: kind, decoder: admission.NewDecoder(o.Scheme), rules: of(w), now: of(w.now()), cached: o.Live != nil}
	s := served{kind: kind, plural: plural, deletion: h.rules.deletion != nil, validator: admission.HandlerFunc(h.validate)}
	if h.rules.defaults != nil {
		s.mutator = admission.HandlerFunc(h.mutate)
	}
	return s
}
