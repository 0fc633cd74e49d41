package bootstrap

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"portico.dev/portico/fleet"
)

// SecretKey is the key of the Secret's data that holds Data as JSON.
const SecretKey = "value"

// SecretName is the name of the Secret of a cluster.
func SecretName(cluster string) string { return cluster + "-bootstrap" }

// Data is what a machine has to know.
type Data struct {
	// Server is the URL of the API server as machines reach it.
	Server string `json:"server"`
	// CAData is the PEM certificate of the authority that signed the API server's.
	CAData []byte `json:"caData"`
	// ClusterDNS is the address of the cluster's name server.
	ClusterDNS string `json:"clusterDNS"`
	// ClusterDomain is the DNS domain of services.
	ClusterDomain string `json:"clusterDomain"`
	// PodCIDR is the range that the pods of the whole cluster have their addresses from.
	PodCIDR string `json:"podCIDR"`
	// ServiceCIDR is the range that services have their addresses from.
	ServiceCIDR string `json:"serviceCIDR"`
}

// Encode is the form of the Secret. The same Data gives the same bytes.
func (d Data) Encode() ([]byte, error) {
	out, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding bootstrap data: %w", err)
	}
	return out, nil
}

// Decode reads the form of the Secret.
func Decode(value []byte) (Data, error) {
	var d Data
	if err := json.Unmarshal(value, &d); err != nil {
		return Data{}, fmt.Errorf("%w: decoding bootstrap data: expected the JSON that a hosted control plane writes: %w", fleet.ErrInvalid, err)
	}
	if d.Server == "" || len(d.CAData) == 0 {
		return Data{}, fmt.Errorf("%w: bootstrap data has no server or no caData", fleet.ErrInvalid)
	}
	return d, nil
}

// NameServer is the tenth address of a service range, by the convention that cluster
// installers share.
func NameServer(serviceCIDR string) (string, error) {
	prefix, err := netip.ParsePrefix(serviceCIDR)
	if err != nil {
		return "", fmt.Errorf("%w: service range %q: expected a CIDR such as 10.96.0.0/16", fleet.ErrInvalid, serviceCIDR)
	}
	addr := prefix.Masked().Addr()
	for range 10 {
		addr = addr.Next()
	}
	if !prefix.Contains(addr) {
		return "", fmt.Errorf("%w: service range %q is too small: it needs more than ten addresses", fleet.ErrInvalid, serviceCIDR)
	}
	return addr.String(), nil
}
