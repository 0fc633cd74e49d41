package controlplane

import (
	"net"
	"path/filepath"
	"strconv"

	"portico.dev/portico/api/config/v1alpha1"
)

// layout is where things are in the folder of a control plane.
type layout string

func (l layout) pki(name string) string { return filepath.Join(string(l), "pki", name) }
func (l layout) etcd() string           { return filepath.Join(string(l), "etcd") }
func (l layout) lock() string           { return filepath.Join(string(l), "lock") }
func (l layout) admin() string          { return filepath.Join(string(l), "kubeconfig") }
func (l layout) authentication() string { return filepath.Join(string(l), "authentication.yaml") }
func (l layout) kubeconfig(component string) string {
	return filepath.Join(string(l), component+".kubeconfig")
}

// serverFor is the URL of the API server for those who are elsewhere.
func serverFor(c v1alpha1.ControlPlaneConfiguration) string {
	return "https://" + net.JoinHostPort(c.AdvertiseAddress, strconv.Itoa(int(c.Port)))
}

// localServer is the URL of the API server for this process, which needs no route.
func localServer(c v1alpha1.ControlPlaneConfiguration) string {
	host := c.BindAddress
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(int(c.Port)))
}
