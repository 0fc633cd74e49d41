package controlplane

import (
	"maps"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/api/config/v1alpha1"
)

var (
	versionForm = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
	flagForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
)

// Validate returns what is wrong with c after Default, every field by its name.
func Validate(c v1alpha1.ControlPlaneConfiguration) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, identity(c)...)
	errs = append(errs, network(c)...)
	errs = append(errs, paths(c)...)
	errs = append(errs, flags(c)...)
	return append(errs, amounts(c)...)
}

func identity(c v1alpha1.ControlPlaneConfiguration) field.ErrorList {
	var errs field.ErrorList
	if c.APIVersion != v1alpha1.APIVersion {
		errs = append(errs, field.NotSupported(field.NewPath("apiVersion"), c.APIVersion, []string{v1alpha1.APIVersion}))
	}
	if c.Kind != v1alpha1.ControlPlaneConfigurationKind {
		errs = append(errs, field.NotSupported(field.NewPath("kind"), c.Kind, []string{v1alpha1.ControlPlaneConfigurationKind}))
	}
	if c.Name == "" {
		errs = append(errs, field.Required(field.NewPath("name"), "the cluster's name"))
	} else if len(validation.IsDNS1123Subdomain(c.Name)) != 0 {
		errs = append(errs, field.Invalid(field.NewPath("name"), c.Name, "must be a DNS name in lower case"))
	}
	if c.KubernetesVersion != "" && !versionForm.MatchString(c.KubernetesVersion) {
		errs = append(errs, field.Invalid(field.NewPath("kubernetesVersion"), c.KubernetesVersion, "must look like v1.36.4"))
	}
	return errs
}

func network(c v1alpha1.ControlPlaneConfiguration) field.ErrorList {
	var errs field.ErrorList
	address := func(name, value string) {
		if _, err := netip.ParseAddr(value); err != nil {
			errs = append(errs, field.Invalid(field.NewPath(name), value, "must be an IP address"))
		}
	}
	address("bindAddress", c.BindAddress)
	address("advertiseAddress", c.AdvertiseAddress)
	if len(validation.IsValidPortNum(int(c.Port))) != 0 {
		errs = append(errs, field.Invalid(field.NewPath("port"), c.Port, "must be between 1 and 65535"))
	}
	for i, san := range c.ExtraSANs {
		if _, err := netip.ParseAddr(san); err == nil {
			continue
		}
		if len(validation.IsDNS1123Subdomain(strings.TrimPrefix(san, "*."))) != 0 {
			errs = append(errs, field.Invalid(field.NewPath("extraSANs").Index(i), san, "must be an IP address or a DNS name"))
		}
	}
	if len(validation.IsDNS1123Subdomain(c.ClusterDomain)) != 0 {
		errs = append(errs, field.Invalid(field.NewPath("clusterDomain"), c.ClusterDomain, "must be a DNS name in lower case"))
	}
	return append(errs, ranges(c)...)
}

func ranges(c v1alpha1.ControlPlaneConfiguration) field.ErrorList {
	var errs field.ErrorList
	parse := func(name, value string) netip.Prefix {
		p, err := netip.ParsePrefix(value)
		if err != nil || p != p.Masked() {
			errs = append(errs, field.Invalid(field.NewPath(name), value, "must be an address range such as 10.96.0.0/16"))
		}
		return p
	}
	pods, services := parse("podCIDR", c.PodCIDR), parse("serviceCIDR", c.ServiceCIDR)
	if len(errs) == 0 && pods.Overlaps(services) {
		errs = append(errs, field.Invalid(field.NewPath("serviceCIDR"), c.ServiceCIDR, "must not overlap podCIDR "+c.PodCIDR))
	}
	return errs
}

func paths(c v1alpha1.ControlPlaneConfiguration) field.ErrorList {
	var errs field.ErrorList
	if c.Dir == "" {
		errs = append(errs, field.Required(field.NewPath("dir"), "the absolute folder of this control plane"))
	}
	api := field.NewPath("apiServer")
	absolute := func(at *field.Path, value string) {
		if value != "" && !filepath.IsAbs(value) {
			errs = append(errs, field.Invalid(at, value, "must be an absolute path"))
		}
	}
	absolute(field.NewPath("dir"), c.Dir)
	absolute(api.Child("audit", "policyFile"), c.APIServer.Audit.PolicyFile)
	absolute(api.Child("authenticationConfigFile"), c.APIServer.AuthenticationConfigFile)
	absolute(api.Child("encryptionConfigFile"), c.APIServer.EncryptionConfigFile)
	if c.APIServer.Audit.PolicyFile == "" {
		if c.APIServer.Audit != (v1alpha1.AuditConfiguration{}) {
			errs = append(errs, field.Required(api.Child("audit", "policyFile"), "without a policy nothing is logged"))
		}
		return errs
	}
	absolute(api.Child("audit", "logPath"), c.APIServer.Audit.LogPath)
	return errs
}

func flags(c v1alpha1.ControlPlaneConfiguration) field.ErrorList {
	var errs field.ErrorList
	check := func(component string, args, fields map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(args)) {
			at := field.NewPath(component, "extraArgs").Key(name)
			if !flagForm.MatchString(name) {
				errs = append(errs, field.Invalid(at, name, "must be a flag's name without leading dashes"))
			}
			if f, ok := fields[name]; ok {
				errs = append(errs, field.Forbidden(at, "set "+f+" instead"))
			}
		}
	}
	check("apiServer", c.APIServer.ExtraArgs, apiServerFields())
	check("controllerManager", c.ControllerManager.ExtraArgs, controllerManagerFields())
	check("scheduler", c.Scheduler.ExtraArgs, nil)
	return errs
}

// apiServerFields names the flags of which a field is the only source, and the field. The
// port, for one, is taken before there is an API server.
func apiServerFields() map[string]string {
	m := map[string]string{
		"bind-address":               "bindAddress",
		"secure-port":                "port",
		"advertise-address":          "advertiseAddress",
		"service-cluster-ip-range":   "serviceCIDR",
		"service-account-issuer":     "serviceAccountIssuer",
		"etcd-servers":               "etcd",
		"audit-policy-file":          "apiServer.audit.policyFile",
		"audit-log-path":             "apiServer.audit.logPath",
		"authentication-config":      "apiServer.authenticationConfigFile",
		"anonymous-auth":             "apiServer.authenticationConfigFile",
		"encryption-provider-config": "apiServer.encryptionConfigFile",
	}
	// They exclude a structured configuration, and there always is one.
	for _, name := range []string{
		"ca-file", "client-id", "groups-claim", "groups-prefix", "issuer-url", "required-claim",
		"signing-algs", "username-claim", "username-prefix",
	} {
		m["oidc-"+name] = "apiServer.authenticationConfigFile"
	}
	return m
}

func controllerManagerFields() map[string]string {
	return map[string]string{
		"controllers":         "controllerManager.controllers",
		"allocate-node-cidrs": "controllerManager.allocateNodeCIDRs",
		"cluster-cidr":        "podCIDR",
		"cluster-name":        "name",
	}
}

func amounts(c v1alpha1.ControlPlaneConfiguration) field.ErrorList {
	var errs field.ErrorList
	atLeast := func(at *field.Path, value, least int64) {
		if value < least {
			errs = append(errs, field.Invalid(at, value, "is too small"))
		}
	}
	audit, etcd := field.NewPath("apiServer", "audit"), field.NewPath("etcd")
	atLeast(audit.Child("maxAge"), int64(c.APIServer.Audit.MaxAge), 0)
	atLeast(audit.Child("maxBackup"), int64(c.APIServer.Audit.MaxBackup), 0)
	atLeast(audit.Child("maxSize"), int64(c.APIServer.Audit.MaxSize), 0)
	atLeast(etcd.Child("quotaBytes"), c.Etcd.QuotaBytes, 1<<20)
	atLeast(etcd.Child("snapshotCount"), c.Etcd.SnapshotCount, 1)
	atLeast(field.NewPath("certificates", "validity"), int64(c.Certificates.Validity.Duration), 1)
	atLeast(field.NewPath("certificates", "authorityValidity"), int64(c.Certificates.AuthorityValidity.Duration), int64(c.Certificates.Validity.Duration))
	atLeast(field.NewPath("tuning", "gogc"), int64(c.Tuning.GOGC), 1)
	atLeast(field.NewPath("tuning", "memoryLimit"), c.Tuning.MemoryLimit.Value(), 0)
	return errs
}
