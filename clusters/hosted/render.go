package hosted

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/api/config/controlplane"
	config "portico.dev/portico/api/config/v1alpha1"
	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/fleet"
)

// The files of an instance whose contents the user gave. They have a folder of their own,
// since the control plane writes files of such names itself.
const (
	auditFile          = "given/audit-policy.yaml"
	authenticationFile = "given/authentication.yaml"
	encryptionFile     = "given/encryption.yaml"
)

// instance is the control plane that p and its surroundings ask for.
func instance(p *cp.HostedControlPlane, saw Observed) Instance {
	in := Instance{
		Key:   client.ObjectKeyFromObject(p),
		Owner: p.UID,
		Netns: saw.Cluster.Netns,
		Files: maps.Clone(saw.files),
		Config: config.ControlPlaneConfiguration{
			TypeMeta:          metav1.TypeMeta{APIVersion: config.APIVersion, Kind: config.ControlPlaneConfigurationKind},
			Name:              saw.Cluster.Name,
			KubernetesVersion: p.Spec.Version,
			BindAddress:       saw.Cluster.Host, Port: saw.Cluster.Port,
			PodCIDR: saw.Cluster.PodCIDR, ServiceCIDR: saw.Cluster.ServiceCIDR, ClusterDomain: saw.Cluster.Domain,
		},
	}
	if in.Files == nil {
		in.Files = map[string][]byte{}
	}
	if m := p.Spec.Resources.Memory; m != nil {
		in.Config.Tuning.MemoryLimit = *m
	}
	api := &in.Config.APIServer
	api.ExtraArgs = p.Spec.APIServer.ExtraArgs
	for name, field := range map[string]*string{
		auditFile: &api.Audit.PolicyFile, authenticationFile: &api.AuthenticationConfigFile, encryptionFile: &api.EncryptionConfigFile,
	} {
		if _, ok := in.Files[name]; ok {
			*field = name
		}
	}
	a := saw.authorities
	for name, content := range map[string][]byte{
		"pki/ca.crt": a.ca.Certificate, "pki/ca.key": a.ca.Key,
		"pki/front-proxy-ca.crt": a.proxy.Certificate, "pki/front-proxy-ca.key": a.proxy.Key,
		"pki/sa.pub": a.sa.Certificate, "pki/sa.key": a.sa.Key,
	} {
		in.Files[name] = content
	}
	return in
}

// valid is the check that the program itself would make, with a folder filled in that stands
// for the Runner's. An address that is not known yet is not wrong.
func valid(in Instance) error {
	cfg := in.Config
	if cfg.BindAddress == "" {
		cfg.BindAddress, cfg.Port = "127.0.0.1", 6443
	}
	cfg = controlplane.Default(Resolve(cfg, "/folder"))
	if errs := controlplane.Validate(cfg); len(errs) > 0 {
		return fmt.Errorf("%w: %w", fleet.ErrInvalid, errs.ToAggregate())
	}
	return nil
}

// apart says whether pods and services have addresses of their own. All local clusters with a
// network namespace have their machines side by side in one /16.
func apart(in Instance) error {
	host, err := netip.ParseAddr(in.Config.BindAddress)
	if in.Netns == "" || err != nil {
		return nil
	}
	machines := netip.PrefixFrom(host, 16).Masked()
	for _, r := range []struct{ of, cidr string }{{"pods", in.Config.PodCIDR}, {"services", in.Config.ServiceCIDR}} {
		if p, err := netip.ParsePrefix(r.cidr); err == nil && p.Overlaps(machines) {
			return fmt.Errorf("%w: spec.clusterNetwork.%s of Cluster %s: %s overlaps %s, where the machines of local clusters are: make the cluster anew with another range",
				fleet.ErrInvalid, r.of, in.Config.Name, r.cidr, machines)
		}
	}
	return nil
}

// Resolve is cfg with dir as its folder, and the names of files in it made absolute.
func Resolve(cfg config.ControlPlaneConfiguration, dir string) config.ControlPlaneConfiguration {
	cfg.Dir = dir
	api := &cfg.APIServer
	for _, file := range []*string{&api.Audit.PolicyFile, &api.AuthenticationConfigFile, &api.EncryptionConfigFile} {
		if *file != "" {
			*file = dir + "/" + *file
		}
	}
	return cfg
}

func hostPort(cluster *Cluster) string {
	return net.JoinHostPort(cluster.Host, strconv.Itoa(int(cluster.Port)))
}

// reference is one file whose contents stand in another object.
type reference struct {
	file, field, kind string
	ref               *cp.KeyRef
}

func referencesOf(p *cp.HostedControlPlane) []reference {
	all := []reference{
		{auditFile, "spec.audit.policyRef", "ConfigMap", p.Spec.Audit.PolicyRef},
		{authenticationFile, "spec.authentication.configSecretRef", "Secret", p.Spec.Authentication.ConfigSecretRef},
		{encryptionFile, "spec.encryption.configSecretRef", "Secret", p.Spec.Encryption.ConfigSecretRef},
	}
	return slices.DeleteFunc(all, func(r reference) bool { return r.ref == nil })
}

// references reads what p refers to. A reference to nothing is the user's to mend.
func (c *Controller) references(ctx context.Context, p *cp.HostedControlPlane) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, r := range referencesOf(p) {
		content, err := c.readReference(ctx, client.ObjectKey{Namespace: p.Namespace, Name: r.ref.Name}, r)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%w: %s: %s %q does not exist in namespace %s", fleet.ErrInvalid, r.field, r.kind, r.ref.Name, p.Namespace)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s %s: %w", r.kind, r.ref.Name, err)
		}
		if len(content) == 0 {
			return nil, fmt.Errorf("%w: %s: %s %q has no key %q", fleet.ErrInvalid, r.field, r.kind, r.ref.Name, r.ref.Key)
		}
		files[r.file] = content
	}
	return files, nil
}

func (c *Controller) readReference(ctx context.Context, key client.ObjectKey, r reference) ([]byte, error) {
	if r.kind == "Secret" {
		var s corev1.Secret
		err := c.Secrets.Get(ctx, key, &s)
		return s.Data[r.ref.Key], err
	}
	var m corev1.ConfigMap
	if err := c.Secrets.Get(ctx, key, &m); err != nil {
		return nil, err
	}
	if text, ok := m.Data[r.ref.Key]; ok {
		return []byte(text), nil
	}
	return m.BinaryData[r.ref.Key], nil
}
