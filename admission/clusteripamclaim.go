package admission

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateClusterIPAMClaim says what is wrong with an object; old is nil for a new one.
func ValidateClusterIPAMClaim(c, old *kcm.ClusterIPAMClaim) field.ErrorList {
	if old != nil && settled(c, c.Spec, old.Spec) {
		return nil
	}
	var errs field.ErrorList
	if old != nil {
		errs = sameClaim(c.Spec, old.Spec)
	}
	return append(errs, addressSpaces(c.Spec, specPath)...)
}

// sameClaim refuses to hand what was claimed to somebody else. The rules of the schema know
// nothing of a name that disappears.
func sameClaim(now, before kcm.ClusterIPAMClaimSpec) field.ErrorList {
	var errs field.ErrorList
	for _, ref := range []struct{ name, what, now, before string }{
		{"cluster", "Cluster", now.Cluster, before.Cluster},
		{"clusterIPAMRef", "ClusterIPAM", now.ClusterIPAMRef, before.ClusterIPAMRef},
	} {
		if ref.before != "" && ref.now != ref.before {
			errs = append(errs, field.Forbidden(specPath.Child(ref.name), ref.what+" reference is immutable once set: keep "+ref.before+", or make another claim"))
		}
	}
	return errs
}

func addressSpaces(spec kcm.ClusterIPAMClaimSpec, path *field.Path) field.ErrorList {
	errs := addressSpace(spec.NodeNetwork, path.Child("nodeNetwork"))
	errs = append(errs, addressSpace(spec.ClusterNetwork, path.Child("clusterNetwork"))...)
	errs = append(errs, addressSpace(spec.ExternalNetwork, path.Child("externalNetwork"))...)
	node := spec.NodeNetwork
	if spec.Provider == kcm.IPAMInfoblox && node.CIDR == "" {
		errs = append(errs, field.Required(path.Child("nodeNetwork", "cidr"), "Infoblox hands out addresses of one network: name it"))
	}
	if spec.Provider == kcm.IPAMInCluster && node.CIDR == "" && len(node.IPAddresses) == 0 {
		errs = append(errs, field.Required(path.Child("nodeNetwork"), "set cidr or ipAddresses: there is nothing to hand out"))
	}
	return errs
}

func addressSpace(a kcm.AddressSpaceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	var network netip.Prefix
	if a.CIDR != "" {
		var err error
		if network, err = netip.ParsePrefix(a.CIDR); err != nil {
			errs = append(errs, field.Invalid(path.Child("cidr"), a.CIDR, "write a network such as 10.0.0.0/24"))
		}
	}
	for i, item := range a.IPAddresses {
		if !addresses(item) {
			errs = append(errs, field.Invalid(path.Child("ipAddresses").Index(i), item, "write an address, a range such as 10.0.0.5-10.0.0.9, or a network"))
		}
	}
	if a.Gateway != "" {
		gateway, err := netip.ParseAddr(a.Gateway)
		switch {
		case err != nil:
			errs = append(errs, field.Invalid(path.Child("gateway"), a.Gateway, "write an address such as 10.0.0.1"))
		case network.IsValid() && !network.Contains(gateway):
			errs = append(errs, field.Invalid(path.Child("gateway"), a.Gateway, "the gateway has to be in network "+a.CIDR))
		}
	}
	if a.Prefix < 0 || a.Prefix > 128 {
		errs = append(errs, field.Invalid(path.Child("prefix"), a.Prefix, "the length of a prefix is at most 32, or 128 for IPv6"))
	}
	return errs
}

// addresses accepts what a pool can hold: an address, a range, or a network.
func addresses(text string) bool {
	if _, err := netip.ParsePrefix(text); err == nil {
		return true
	}
	from, to, ranged := strings.Cut(text, "-")
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil || !ranged {
		return err == nil
	}
	last, err := netip.ParseAddr(strings.TrimSpace(to))
	return err == nil && first.BitLen() == last.BitLen() && !last.Less(first)
}
