package controlplane

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"portico.dev/portico/api/config/v1alpha1"
)

// flags of a component, by name without dashes.
type flags map[string]string

// with returns f with extra laid over it.
func (f flags) with(extra map[string]string) flags {
	maps.Copy(f, extra)
	return f
}

// args is the command line, in the order of names.
func (f flags) args() []string {
	var args []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		args = append(args, "--"+name+"="+f[name])
	}
	return args
}

// apiServerFlags lets the API server speak to etcd at etcdServer.
func apiServerFlags(c v1alpha1.ControlPlaneConfiguration, etcdServer string) flags {
	l := layout(c.Dir)
	f := flags{
		"bind-address":             c.BindAddress,
		"advertise-address":        c.AdvertiseAddress,
		"secure-port":              strconv.Itoa(int(c.Port)),
		"etcd-servers":             etcdServer,
		"service-cluster-ip-range": c.ServiceCIDR,
		"allow-privileged":         "true",
		"profiling":                "false",
		// Watches are told to end; without this they would hold up the end of the process.
		"shutdown-watch-termination-grace-period": "2s",

		"tls-cert-file":                    l.pki("apiserver.pem"),
		"tls-private-key-file":             l.pki("apiserver.pem"),
		"client-ca-file":                   l.pki("ca.crt"),
		"service-account-issuer":           c.ServiceAccountIssuer,
		"service-account-key-file":         l.pki("sa.pub"),
		"service-account-signing-key-file": l.pki("sa.key"),

		"authorization-mode":       "Node,RBAC",
		"enable-admission-plugins": "NodeRestriction",
		"authentication-config":    l.authentication(),

		"kubelet-certificate-authority":   l.pki("ca.crt"),
		"kubelet-client-certificate":      l.pki("apiserver-kubelet-client.pem"),
		"kubelet-client-key":              l.pki("apiserver-kubelet-client.pem"),
		"kubelet-preferred-address-types": "InternalIP",

		// Webhooks and aggregated APIs are reached by pod address: the API server has routes to
		// pods, but no kube-proxy that would translate service addresses.
		"enable-aggregator-routing":          "true",
		"requestheader-client-ca-file":       l.pki("front-proxy-ca.crt"),
		"requestheader-allowed-names":        frontProxyUser,
		"requestheader-username-headers":     "X-Remote-User",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"proxy-client-cert-file":             l.pki("front-proxy-client.pem"),
		"proxy-client-key-file":              l.pki("front-proxy-client.pem"),
	}
	// Nobody but this machine can reach a loopback address, and an Endpoints object refuses it:
	// the reconciler would fail every ten seconds.
	if a, err := netip.ParseAddr(c.AdvertiseAddress); err == nil && a.IsLoopback() {
		f["endpoint-reconciler-type"] = "none"
	}
	if withoutWork(c) {
		f["watch-cache"], f["etcd-compaction-interval"] = "false", "0"
	}
	f = f.with(securityFlags(c.APIServer)).with(c.APIServer.ExtraArgs)
	f[cacheSizes] = strings.Trim(uncached()+","+c.APIServer.ExtraArgs[cacheSizes], ",")
	return f
}

// withoutWork says that nothing is run on the cluster. Its clients are few then, and each keeps a cache
// of its own: the API server needs none beside etcd, which costs memory for each kind, and a timer that
// wakes an idle cluster every second.
//
// Watches get no bookmarks without that cache, so whoever watches a quiet kind lists all of it anew once
// etcd was compacted. Therefore etcd compacts by itself there, and keeps so many revisions that an idle
// cluster comes to it about once a day, where the API server would every five minutes.
func withoutWork(c v1alpha1.ControlPlaneConfiguration) bool { return c.Scheduler.Disabled }

// revisions is how many etcd keeps of a cluster without work.
const revisions = 10000

// cacheSizes is the flag that switches caches off, kind by kind. The user's are added to ours.
const cacheSizes = "watch-cache-sizes"

// uncached are the kinds that the API server of any cluster keeps no cache of: there are few objects,
// and they change seldom, so that listing them anew is nothing.
func uncached() string {
	return strings.Join([]string{
		"apiservices.apiregistration.k8s.io", "certificatesigningrequests.certificates.k8s.io",
		"csistoragecapacities.storage.k8s.io", "deviceclasses.resource.k8s.io", "flowschemas.flowcontrol.apiserver.k8s.io",
		"ingressclasses.networking.k8s.io", "ipaddresses.networking.k8s.io", "limitranges",
		"mutatingadmissionpolicies.admissionregistration.k8s.io",
		"mutatingadmissionpolicybindings.admissionregistration.k8s.io", "podtemplates", "priorityclasses.scheduling.k8s.io",
		"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", "replicationcontrollers", "resourceclaims.resource.k8s.io",
		"resourceclaimtemplates.resource.k8s.io", "resourcequotas", "resourceslices.resource.k8s.io",
		"servicecidrs.networking.k8s.io", "storageclasses.storage.k8s.io",
		"validatingadmissionpolicies.admissionregistration.k8s.io",
		"validatingadmissionpolicybindings.admissionregistration.k8s.io", "volumeattributesclasses.storage.k8s.io",
	}, "#0,") + "#0"
}

func securityFlags(a v1alpha1.APIServerConfiguration) flags {
	f := flags{}
	if a.AuthenticationConfigFile != "" {
		f["authentication-config"] = a.AuthenticationConfigFile
	}
	if a.EncryptionConfigFile != "" {
		f["encryption-provider-config"] = a.EncryptionConfigFile
		f["encryption-provider-config-automatic-reload"] = "true"
	}
	if a.Audit.PolicyFile != "" {
		f["audit-policy-file"] = a.Audit.PolicyFile
		f["audit-log-path"] = a.Audit.LogPath
		f["audit-log-maxage"] = strconv.Itoa(int(a.Audit.MaxAge))
		f["audit-log-maxbackup"] = strconv.Itoa(int(a.Audit.MaxBackup))
		f["audit-log-maxsize"] = strconv.Itoa(int(a.Audit.MaxSize))
	}
	return f
}

func controllerManagerFlags(c v1alpha1.ControlPlaneConfiguration) flags {
	l := layout(c.Dir)
	f := flags{
		"kubeconfig":                       l.kubeconfig("controller-manager"),
		"leader-elect":                     "false",
		"secure-port":                      "0",
		"profiling":                        "false",
		"cluster-name":                     c.Name,
		"controllers":                      strings.Join(c.ControllerManager.Controllers, ","),
		"use-service-account-credentials":  "true",
		"service-account-private-key-file": l.pki("sa.key"),
		"root-ca-file":                     l.pki("ca.crt"),
		"cluster-signing-cert-file":        l.pki("ca.crt"),
		"cluster-signing-key-file":         l.pki("ca.key"),
		"allocate-node-cidrs":              "false",
		// Each controller makes itself a service account and a token, one after the other; at
		// upstream's 20 requests per second a new cluster would wait for its first pod.
		"kube-api-qps":   "200",
		"kube-api-burst": "400",
	}
	if c.ControllerManager.AllocateNodeCIDRs {
		f["allocate-node-cidrs"] = "true"
		f["cluster-cidr"] = c.PodCIDR
		f["service-cluster-ip-range"] = c.ServiceCIDR
	}
	return f.with(c.ControllerManager.ExtraArgs)
}

func schedulerFlags(c v1alpha1.ControlPlaneConfiguration) flags {
	return flags{
		"kubeconfig":   layout(c.Dir).kubeconfig("scheduler"),
		"leader-elect": "false",
		"secure-port":  "0",
		"profiling":    "false",
	}.with(c.Scheduler.ExtraArgs)
}
