package topology

import (
	"encoding/json"
	"slices"
	"strings"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Cloud is where clusters are made, in KOF's words. Empty means that a region does not say.
type Cloud string

// The clouds.
const (
	AWS       Cloud = "aws"
	Azure     Cloud = "azure"
	Docker    Cloud = "docker"
	GCP       Cloud = "gcp"
	OpenStack Cloud = "openstack"
	VSphere   Cloud = "vsphere"
	Adopted   Cloud = "adopted"
	Remote    Cloud = "remote"
	// Local are clusters on this computer, which KOF does not know.
	Local Cloud = "local"
)

// clouds are the providers of infrastructure by the name that follows "infrastructure-".
var clouds = map[string]Cloud{
	"aws": AWS, "azure": Azure, "docker": Docker, "gcp": GCP, "openstack": OpenStack, "vsphere": VSphere,
	"internal": Adopted, "k0sproject-k0smotron": Remote, "local": Local,
}

const infrastructure = "infrastructure-"

// CloudOf says by the providers of a template where its clusters are made.
func CloudOf(providers []string) (Cloud, error) {
	var unknown []string
	for _, p := range providers {
		name, found := strings.CutPrefix(p, infrastructure)
		if !found {
			continue
		}
		if c, ok := clouds[name]; ok {
			return c, nil
		}
		unknown = append(unknown, p)
	}
	if len(unknown) == 0 {
		return "", notYet(ReasonUnknownCloud, "status.providers of the ClusterTemplate name no provider of infrastructure")
	}
	slices.Sort(unknown)
	return "", invalid(ReasonUnknownCloud, "the ClusterTemplate's provider %s is none whose regions are known: expected one of %s; "+
		"write the ConfigMap of the region by hand, and name it in the label %s of its children",
		strings.Join(unknown, ", "), strings.Join(knownProviders(), ", "), "k0rdent.mirantis.com/kof-regional-cluster-name")
}

func knownProviders() []string {
	var out []string
	for name := range clouds {
		out = append(out, infrastructure+name)
	}
	slices.Sort(out)
	return out
}

// Place is where a cluster is: the cloud, and the one of the locations that this cloud has.
type Place struct {
	Cloud     Cloud  `json:"cloud,omitempty"`
	AWS       string `json:"aws,omitempty"`
	Azure     string `json:"azure,omitempty"`
	OpenStack string `json:"openstack,omitempty"`
	VSphere   string `json:"vsphere,omitempty"`
	GCP       string `json:"gcp,omitempty"`
}

// PlaceOf reads the location of a cluster from its configuration. What is not there is empty.
func PlaceOf(cloud Cloud, config *kcm.JSON) Place {
	var c struct {
		Region      string `json:"region"`
		Location    string `json:"location"`
		IdentityRef struct {
			Region string `json:"region"`
		} `json:"identityRef"`
		VSphere struct {
			Datacenter string `json:"datacenter"`
		} `json:"vsphere"`
	}
	p := Place{Cloud: cloud}
	if config != nil && len(config.Raw) > 0 {
		// The configuration is checked against the chart's schema by others; a field of another
		// type is no location.
		_ = json.Unmarshal(config.Raw, &c)
	}
	switch cloud {
	case AWS:
		p.AWS = c.Region
	case Azure:
		p.Azure = c.Location
	case OpenStack:
		p.OpenStack = c.IdentityRef.Region
	case VSphere:
		p.VSphere = c.VSphere.Datacenter
	case GCP:
		p.GCP = c.Region
	}
	return p
}

// Holds says whether a child at another place is in the region by its location alone. It never is
// where clouds have no locations: adopted and remote clusters have to name their region.
func (p Place) Holds(child Place) bool {
	if p.Cloud != child.Cloud {
		return false
	}
	switch p.Cloud {
	case Docker, Local:
		return true
	case AWS:
		return p.AWS != "" && p.AWS == child.AWS
	case Azure:
		return p.Azure != "" && p.Azure == child.Azure
	case OpenStack:
		return p.OpenStack != "" && p.OpenStack == child.OpenStack
	case VSphere:
		return p.VSphere != "" && p.VSphere == child.VSphere
	case GCP:
		return p.GCP != "" && p.GCP == child.GCP
	}
	return false
}

// String is the place for messages.
func (p Place) String() string {
	location := p.AWS + p.Azure + p.OpenStack + p.VSphere + p.GCP
	switch {
	case p.Cloud == "":
		return "an unknown place"
	case location == "":
		return string(p.Cloud)
	}
	return string(p.Cloud) + " " + location
}
