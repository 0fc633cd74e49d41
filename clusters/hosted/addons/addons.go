package addons

import (
	"bytes"
	"embed"
	"fmt"
	"net/netip"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Images that come with Portico. Machines find them without a registry.
const (
	CoreDNSImage = "portico.local/coredns:1.15.0"
	VolumesImage = "portico.local/volumes:1"
)

// StorageClass is the name of the default storage class.
const StorageClass = "local"

// Provisioner is the storage class's provisioner, which package clusters/local/volumes is.
const Provisioner = "local.portico.dev/path"

// Config is what differs from cluster to cluster.
type Config struct {
	// ClusterDNS is the address of the DNS service; it lies in the services' network.
	ClusterDNS netip.Addr
	// ClusterDomain is the suffix of services' names, for example cluster.local.
	ClusterDomain string
	// Nameservers resolve all other names. Without any, such names do not exist.
	Nameservers []netip.Addr
}

//go:embed manifests/*.yaml
var manifests embed.FS

// The order matters: accounts and permissions come before what runs with them.
var files = []string{"nodes.yaml", "coredns.yaml", "volumes.yaml"}

// Objects returns the add-ons of a cluster.
func Objects(c Config) ([]client.Object, error) {
	if !c.ClusterDNS.IsValid() || c.ClusterDomain == "" {
		return nil, fmt.Errorf("rendering add-ons: want a DNS address and a cluster domain, have %q and %q", c.ClusterDNS, c.ClusterDomain)
	}
	values := struct {
		Config
		CoreDNSImage, VolumesImage, StorageClass, Provisioner string
	}{c, CoreDNSImage, VolumesImage, StorageClass, Provisioner}
	var out []client.Object
	for _, file := range files {
		objects, err := render(file, values)
		if err != nil {
			return nil, fmt.Errorf("rendering add-on %s: %w", file, err)
		}
		out = append(out, objects...)
	}
	return out, nil
}

func render(file string, values any) ([]client.Object, error) {
	t, err := template.New(file).Option("missingkey=error").ParseFS(manifests, "manifests/"+file)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, values); err != nil {
		return nil, err
	}
	var out []client.Object
	for _, doc := range bytes.Split(text.Bytes(), []byte("\n---\n")) {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(doc, &u.Object); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}
