package controlplane

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/api/config/v1alpha1"
)

// Decode reads a file: strictly (an unknown or repeated field is an error), with defaults
// filled in, validated.
func Decode(data []byte) (v1alpha1.ControlPlaneConfiguration, error) {
	var c v1alpha1.ControlPlaneConfiguration
	asJSON, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		// The reader of YAML lists its findings on lines; ours are one line.
		return c, fmt.Errorf("reading %s: %s", v1alpha1.ControlPlaneConfigurationKind, strings.Join(strings.Fields(err.Error()), " "))
	}
	strict, err := kjson.UnmarshalStrict(asJSON, &c)
	if err := utilerrors.NewAggregate(append(strict, err)); err != nil {
		return c, fmt.Errorf("reading %s: %w", v1alpha1.ControlPlaneConfigurationKind, err)
	}
	c = Default(c)
	if err := Validate(c).ToAggregate(); err != nil {
		return c, fmt.Errorf("checking %s: %w", v1alpha1.ControlPlaneConfigurationKind, err)
	}
	return c, nil
}

// Encode is the file of c, with the kind and version that Decode demands.
func Encode(c v1alpha1.ControlPlaneConfiguration) ([]byte, error) {
	c.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.APIVersion, Kind: v1alpha1.ControlPlaneConfigurationKind}
	return yaml.Marshal(c)
}

// Default fills in what c leaves open. Defaulting twice is defaulting once.
func Default(c v1alpha1.ControlPlaneConfiguration) v1alpha1.ControlPlaneConfiguration {
	or(&c.BindAddress, "127.0.0.1")
	or(&c.Port, 6443)
	or(&c.AdvertiseAddress, advertised(c.BindAddress))
	or(&c.PodCIDR, "10.244.0.0/16")
	or(&c.ServiceCIDR, "10.96.0.0/16")
	or(&c.ClusterDomain, "cluster.local")
	or(&c.ServiceAccountIssuer, "https://kubernetes.default.svc."+c.ClusterDomain)
	if a := &c.APIServer.Audit; a.PolicyFile != "" {
		or(&a.LogPath, c.Dir+"/audit.log")
		or(&a.MaxBackup, 10)
		or(&a.MaxSize, 100)
	}
	if len(c.ControllerManager.Controllers) == 0 {
		c.ControllerManager.Controllers = []string{"*"}
	}
	or(&c.Etcd.QuotaBytes, 2<<30)
	or(&c.Etcd.SnapshotCount, 5000)
	or(&c.Certificates.Validity.Duration, 365*24*time.Hour)
	or(&c.Certificates.AuthorityValidity.Duration, 10*365*24*time.Hour)
	or(&c.Tuning.GOGC, 50)
	return c
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func advertised(bind string) string {
	if a, err := netip.ParseAddr(bind); err == nil && a.IsUnspecified() {
		return "127.0.0.1"
	}
	return bind
}
