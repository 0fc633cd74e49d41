package admission_test

import (
	"testing"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
)

func tenanted(namespace, tenant string) *kcm.ClusterDeployment {
	d := &kcm.ClusterDeployment{}
	d.Namespace, d.Name = namespace, "dev"
	if tenant != "" {
		d.Labels = map[string]string{kof.TenantLabel: tenant}
	}
	return d
}

func TestValidateTenant(t *testing.T) {
	const at = "metadata.labels[k0rdent.mirantis.com/kof-tenant-id]: "
	for _, tc := range []struct {
		name, why, namespace, tenant string
		old                          *kcm.ClusterDeployment
		refs                         admission.TenantRefs
		want                         []string
	}{
		{"None", "Without a label there is nothing to take.", "team-b", "", nil, admission.TenantRefs{Homes: []string{"team-a"}}, nil},
		{"First", "A tenant that nobody has is free, as in k0rdent.", "team-a", "a", nil, admission.TenantRefs{}, nil},
		{"Own", "The namespace has clusters of the tenant.", "team-a", "a", nil, admission.TenantRefs{Homes: []string{"team-a", "team-z"}}, nil},
		{"Foreign", "Its collectors could read what the others' clusters say.", "team-b", "a", nil, admission.TenantRefs{Homes: []string{"team-a"}}, []string{at + "label namespace team-b with k0rdent.mirantis.com/kof-tenant-id=a, or allow you to use tenants.observability.portico.dev"}},
		{"Allowed", "An administrator says who may.", "team-b", "a", nil, admission.TenantRefs{Homes: []string{"team-a"}, MayUse: true}, nil},
		{"System", "Who writes there is the platform.", "kcm-system", "a", nil, admission.TenantRefs{Homes: []string{"team-a"}}, nil},
		{"FromSystem", "What the platform uses is not everybody's.", "team-b", "a", nil, admission.TenantRefs{Homes: []string{"kcm-system"}}, []string{at + "tenant a belongs to another namespace"}},
		{"Given", "The label of the namespace is an administrator's word.", "team-b", "a", nil, admission.TenantRefs{Namespace: "a", Homes: []string{"team-a"}}, nil},
		{"GivenAnother", "All clusters of such a namespace are one tenant's, whoever writes them.", "team-b", "a", nil, admission.TenantRefs{Namespace: "b", MayUse: true}, []string{at + "namespace team-b belongs to tenant b: use that one, or leave the label out"}},
		{"GivenPlatform", "It would hide its telemetry from its tenant.", "team-b", "PLATFORM", nil, admission.TenantRefs{Namespace: "b"}, []string{at + "namespace team-b belongs to tenant b"}},
		{"Plane", "What operators go by is not for clusters to write, whoever asks.", "kcm-system", "PORTICO", nil, admission.TenantRefs{MayUse: true}, []string{at + "tenant PORTICO is the management plane's own"}},
		{"GivenPlane", "Nor by the label of a namespace.", "team-b", "PORTICO", nil, admission.TenantRefs{Namespace: "PORTICO", MayUse: true}, []string{at + "name another one, on the cluster or on namespace team-b"}},
		{"Platform", "It is whose clusters without a label are.", "team-b", "PLATFORM", nil, admission.TenantRefs{Homes: []string{"team-a"}}, nil},
		{"Unchanged", "What was accepted once holds up no other change.", "team-b", "a", tenanted("team-b", "a"), admission.TenantRefs{Homes: []string{"team-a"}}, nil},
		{"Changed", "A change is as good as new.", "team-b", "a", tenanted("team-b", "b"), admission.TenantRefs{Homes: []string{"team-a"}}, []string{at + "tenant a belongs to another namespace"}},
		{"TakenOff", "It is nobody's then.", "team-b", "", tenanted("team-b", "a"), admission.TenantRefs{Homes: []string{"team-a"}}, nil},
		{"Case", "Labels are told apart by case.", "team-b", "A", nil, admission.TenantRefs{Homes: nil}, nil},
	} {
		tc.refs.SystemNamespace = "kcm-system"
		check(t, []verdict{{tc.name, tc.why, admission.ValidateTenant(tenanted(tc.namespace, tc.tenant), tc.old, tc.refs), tc.want}})
	}
}

func TestDefaultTenant(t *testing.T) {
	child := func(tenant string) *kcm.ClusterDeployment {
		d := tenanted("team-a", tenant)
		if d.Labels == nil {
			d.Labels = map[string]string{}
		}
		d.Labels[kof.ClusterRoleLabel] = kof.ChildRole
		return d
	}
	for _, tc := range []struct {
		why       string
		d, old    *kcm.ClusterDeployment
		namespace string
		want      string
	}{
		{"A new cluster says whose it is.", child(""), nil, "a", "a"},
		{"So does one that gets its role later.", child(""), tenanted("team-a", ""), "a", "a"},
		{"A label that is taken off comes back.", child(""), child("a"), "a", "a"},
		{"One that lives without it gets no new revision of its chart.", child(""), child(""), "a", ""},
		{"A label that is there is judged, not changed.", child("b"), nil, "a", "b"},
		{"The namespace says nothing.", child(""), nil, "", ""},
		{"Without telemetry there is no tenant.", tenanted("team-a", ""), nil, "a", ""},
	} {
		admission.DefaultTenant(tc.d, tc.old, tc.namespace)
		if got := tc.d.Labels[kof.TenantLabel]; got != tc.want {
			t.Errorf("%s The label is %q, want %q", tc.why, got, tc.want)
		}
	}
}
