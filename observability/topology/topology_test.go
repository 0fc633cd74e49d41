package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Of "kof-cluster-config-dev/kcm-system", "kof-eu/kcm-system", "dev" and "kof-eu".
const (
	adlerChild = "3614248123"
	adlerAdmin = "954730116"
	fnvConfig  = "b8e1175c"
	fnvDev     = "d55997bc"
	fnvEU      = "5f313a10"
)

// The names are KOF's: its charts compute them by Helm's adler32sum and look for them.
func TestNames(t *testing.T) {
	child := types.NamespacedName{Namespace: "kcm-system", Name: "dev"}
	config := types.NamespacedName{Namespace: "kcm-system", Name: "kof-eu"}
	tests := []struct{ what, got, want string }{
		// Computed by Python's zlib.adler32 and a hand-written FNV-1a, not by this program.
		{"child", ChildUser(child), adlerChild},
		{"admin", AdminUser(config), "admin-" + adlerAdmin},
		{"group", ServerGroup(config), "promxy-server-group-" + fnvConfig},
		{"logs", Connection(AuditLogs, config), "kof-audit-logs-storage-connection-" + fnvConfig},
		{"config", ConfigPropagation("dev"), "kof-child-config-propagation-" + fnvDev},
		{"rules", RulesPropagation("kof-eu"), "kof-vm-rules-propagation-" + fnvEU},
	}
	for _, tc := range tests {
		if tc.got != tc.want {
			t.Errorf("%s: %s, want %s", tc.what, tc.got, tc.want)
		}
	}
}

// Two clusters with the same checksum exist: the second one gets a name of its own, and keeps it.
func TestCollisions(t *testing.T) {
	a, b := collision(t)
	short := ChildUser(a)
	ofA, ofB := Owner{"ClusterDeployment", a}, Owner{"ClusterDeployment", b}
	held := User{Name: short, For: ofA, Namespace: a.Namespace}.Secret(kof.Namespace, Credential{Password: "p"})
	if got := NameUser(short, "", ofA, held); got != short {
		t.Errorf("the first one is named %s, want %s", got, short)
	}
	long := NameUser(short, "", ofB, held)
	if long == short || long != Longer(short, ofB) {
		t.Errorf("the second one is named %s, want a longer name than %s", long, short)
	}
	if got := NameUser(short, long, ofB, nil); got != long {
		t.Errorf("once the first one is gone the second is named %s: its credentials would change", got)
	}
	if got := NameUser(short, "admin-1", ofB, nil); got != short {
		t.Errorf("a name that was written by hand is taken: %s", got)
	}
	foreign := &metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}
	if Belongs(foreign, ofA) || !Belongs(&metav1.ObjectMeta{Labels: map[string]string{kof.ManagedByLabel: kof.ManagedBy}}, ofA) {
		t.Error("what KOF made is taken over, and what others made is not")
	}
}

func collision(t *testing.T) (a, b types.NamespacedName) {
	t.Helper()
	seen := map[string]types.NamespacedName{}
	for i := range 100000 {
		key := types.NamespacedName{Namespace: "team", Name: fmt.Sprintf("dev-%d", i)}
		if other, ok := seen[ChildUser(key)]; ok {
			return other, key
		}
		seen[ChildUser(key)] = key
	}
	t.Fatal("no two names have the same checksum")
	return a, b
}

func deployment(annotations, more string) *kcm.ClusterDeployment {
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "eu", Labels: map[string]string{}}}
	d.Spec.Config = &kcm.JSON{Raw: []byte(`{"clusterAnnotations": {` + annotations + `}` + more + `}`)}
	return d
}

func TestRegionOf(t *testing.T) {
	const domain = `"k0rdent.mirantis.com/kof-regional-domain": "eu.example.org"`
	tests := []struct {
		name, why string
		config    string
		istio     string
		here      Here
		want      func(Endpoints) bool
		reason    string
	}{
		{name: "Domain", why: "All eight come from the domain.", config: domain, want: func(e Endpoints) bool {
			return e == EndpointsAt("https://vmauth.eu.example.org")
		}},
		{name: "One", why: "One annotation replaces one endpoint.", config: domain + `, "k0rdent.mirantis.com/kof-write-logs-endpoint": "https://logs.example.org/x"`, want: func(e Endpoints) bool {
			return e.WriteLogs == "https://logs.example.org/x" && e.ReadLogs == "https://vmauth.eu.example.org/vls"
		}},
		{name: "Nothing", why: "Nobody can guess where a region is.", reason: ReasonNoEndpoint},
		{name: "Here", why: "On this computer it is known, and children find it under another address.", here: Here{Read: "https://10.213.3.1:19003", Write: "https://telemetry:19003"}, want: func(e Endpoints) bool {
			return e.ReadLogs == "https://10.213.3.1:19003/vls" && e.WriteTraces == "https://telemetry:19003/vti/insert/opentelemetry/v1/traces"
		}},
		{name: "HereByDomain", why: "Whoever says where it is knows better.", config: domain, here: Here{Pending: "its network is made"}, want: func(e Endpoints) bool {
			return e == EndpointsAt("https://vmauth.eu.example.org")
		}},
		{name: "HereNotYet", why: "Its network is made first.", here: Here{Pending: "its network is made"}, reason: ReasonNoEndpoint},
		{name: "Mesh", why: "In a mesh the charts know where to write to.", istio: "member", want: func(e Endpoints) bool {
			return e.WriteMetrics == "" && e.ReadMetrics == "http://eu-vmauth:8427/vm/select/0/prometheus"
		}},
		{name: "NoScheme", why: "A typing mistake.", config: domain + `, "k0rdent.mirantis.com/kof-read-logs-endpoint": "vmauth.example.org/vls"`, reason: ReasonBadEndpoint},
		{name: "NoHost", why: "A typing mistake.", config: `"k0rdent.mirantis.com/kof-regional-domain": "a b"`, reason: ReasonBadEndpoint},
		{name: "Credentials", why: "They would be copied to every child.", config: domain + `, "k0rdent.mirantis.com/kof-read-logs-endpoint": "https://u:secret@example.org/vls"`, reason: ReasonBadEndpoint},
		{name: "Number", why: "Annotations are texts.", config: `"k0rdent.mirantis.com/kof-regional-domain": 7`, reason: ReasonInvalid},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := deployment(tc.config, "")
			d.Labels[kof.IstioRoleLabel] = tc.istio
			r, err := RegionOf(d, Place{Cloud: AWS, AWS: "eu-west-1"}, tc.here)
			if tc.reason != "" {
				says, ok := Unready(err)
				if !ok || says.Reason != tc.reason || strings.Contains(says.Message, "secret") {
					t.Fatalf("%s\nerror %v (%+v), want %s", tc.why, err, says, tc.reason)
				}
				return
			}
			if err != nil || !tc.want(r.Endpoints) {
				t.Fatalf("%s\n%+v, %v", tc.why, r.Endpoints, err)
			}
			back, err := ReadRegion(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "n"}, Data: r.Data()})
			if err != nil || back != r {
				t.Errorf("what is written is read as %+v, %v; want %+v", back, err, r)
			}
		})
	}
}

func TestReadRegionRefuses(t *testing.T) {
	good := Region{NamespacedName: types.NamespacedName{Namespace: "n", Name: "eu"}, Endpoints: EndpointsAt("https://vmauth.example.org")}.Data()
	tests := []struct{ key, value, reason, why string }{
		{keyName, "", ReasonInvalid, "Children could not name it."},
		{keyName, strings.Repeat("a", 64), ReasonInvalid, "It has to be the value of a label."},
		{keyNamespace, "", ReasonInvalid, "What is made for it has to be somewhere."},
		{keyNamespace, "other", ReasonInvalid, "What is made for it would be removed as without an owner."},
		{"read_metrics_endpoint", "", ReasonNoEndpoint, "It could not be asked."},
		{"write_traces_endpoint", "", ReasonNoEndpoint, "Children could not write."},
		{"read_traces_endpoint", "ftp://a/b", ReasonBadEndpoint, "Nobody speaks that."},
		{"read_traces_endpoint", "https://a/b?x=1", ReasonBadEndpoint, "Paths are appended."},
		{"read_traces_endpoint", "https://a\x7f/", ReasonBadEndpoint, "Binary junk."},
		{keyHTTP, "{", ReasonInvalid, "No JSON."},
		{keyHTTP, `{"dial_timeout": 5}`, ReasonInvalid, "A duration is a text."},
	}
	for _, tc := range tests {
		t.Run(tc.key+"="+tc.value, func(t *testing.T) {
			data := map[string]string{}
			for key, value := range good {
				data[key] = value
			}
			data[tc.key] = tc.value
			_, err := ReadRegion(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "n"}, Data: data})
			if says, ok := Unready(err); !ok || says.Reason != tc.reason || !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%s\nerror %v, want %s", tc.why, err, tc.reason)
			}
		})
	}
}

func TestCloudOf(t *testing.T) {
	tests := []struct {
		why       string
		providers []string
		want      Cloud
		kind      error
	}{
		{"The provider of infrastructure counts, wherever it stands.", []string{"bootstrap-k0sproject-k0smotron", "infrastructure-aws"}, AWS, nil},
		{"Adopted clusters have a name of their own.", []string{"infrastructure-internal"}, Adopted, nil},
		{"Of several the first that is known.", []string{"infrastructure-x", "infrastructure-gcp", "infrastructure-aws"}, GCP, nil},
		{"Clusters on this computer.", []string{"infrastructure-local"}, Local, nil},
		{"An unknown cloud is the user's business.", []string{"infrastructure-hetzner"}, "", fleet.ErrInvalid},
		{"A template that was not judged yet has none.", nil, "", fleet.ErrNotYet},
	}
	for _, tc := range tests {
		got, err := CloudOf(tc.providers)
		if got != tc.want || !errors.Is(err, tc.kind) {
			t.Errorf("%s\nCloudOf(%v) = %q, %v", tc.why, tc.providers, got, err)
		}
	}
}

func candidate(namespace, name string, at Place, age int) Candidate {
	return Candidate{
		Config:  types.NamespacedName{Namespace: namespace, Name: "kof-" + name},
		Created: time.Date(2026, 1, 1, 0, 0, -age, 0, time.UTC),
		Region:  Region{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}, Place: at},
	}
}

func TestChoose(t *testing.T) {
	eu, us := Place{Cloud: AWS, AWS: "eu-west-1"}, Place{Cloud: AWS, AWS: "us-east-1"}
	euOld, euNew := candidate("n", "old", eu, 10), candidate("n", "new", eu, 1)
	far, away := candidate("n", "us", us, 5), candidate("other", "away", eu, 99)
	broken := candidate("n", "broken", us, 99)
	broken.Problem = "it has no endpoint"
	plane := Candidate{Config: types.NamespacedName{Namespace: "kcm-system", Name: "kof-mothership"}, Regionless: true,
		Region: Region{NamespacedName: types.NamespacedName{Namespace: "kcm-system", Name: "mothership"}}}
	twin := candidate("n", "us", us, 1)
	twin.Config.Name = "by-hand"
	in := func(c Candidate, region string) Candidate { c.KCMRegion = region; return c }
	child := types.NamespacedName{Namespace: "n", Name: "dev"}
	tests := []struct {
		name, why string
		wish      Wish
		reach     Reach
		all       []Candidate
		want      string
		reason    string
	}{
		{"Location", "The oldest at the place, so that two regions do not pull a child to and fro.", Wish{Place: eu}, OwnNamespace, []Candidate{euNew, far, euOld}, "kof-old", ""},
		{"Label", "What it names, it gets, wherever it is.", Wish{Place: eu, Name: "us"}, OwnNamespace, []Candidate{euOld, far}, "kof-us", ""},
		{"LabelUnknown", "It is waited for: it may be made after the child.", Wish{Place: eu, Name: "nope"}, OwnNamespace, []Candidate{euOld}, "", ReasonNoRegion},
		{"Sticky", "A region that is older and comes later moves nobody.", Wish{Place: eu, Current: euNew.Region.NamespacedName}, OwnNamespace, []Candidate{euOld, euNew}, "kof-new", ""},
		{"Moved", "No silent move: its data would be in two places.", Wish{Place: us, Current: euNew.Region.NamespacedName}, OwnNamespace, []Candidate{far, euNew}, "", ReasonRegionMoved},
		{"Gone", "The same where its region is gone.", Wish{Place: us, Current: euNew.Region.NamespacedName}, OwnNamespace, []Candidate{far}, "", ReasonRegionMoved},
		{"MovedByLabel", "A label moves it.", Wish{Place: us, Name: "us", Current: euNew.Region.NamespacedName}, OwnNamespace, []Candidate{far}, "kof-us", ""},
		{"OtherNamespace", "Regions of others are out of reach.", Wish{Place: eu}, OwnNamespace, []Candidate{away}, "", ReasonNoRegion},
		{"AcrossNamespaces", "Unless the plane allows it.", Wish{Place: eu}, AllNamespaces, []Candidate{away}, "kof-away", ""},
		{"LabelAcross", "Named by a label, it is still out of reach.", Wish{Place: eu, Name: "away", Namespace: "other"}, OwnNamespace, []Candidate{away}, "", ReasonInvalid},
		{"LabelAcrossAllowed", "Unless the plane allows it.", Wish{Name: "away", Namespace: "other"}, AllNamespaces, []Candidate{away}, "kof-away", ""},
		{"Regionless", "The management cluster is for those who have nothing else.", Wish{Place: eu}, OwnNamespace, []Candidate{plane}, "kof-mothership", ""},
		{"RegionlessLast", "A region at the place comes first.", Wish{Place: eu}, OwnNamespace, []Candidate{plane, euNew}, "kof-new", ""},
		{"Broken", "A region that cannot be used is not passed over in silence.", Wish{Place: us}, OwnNamespace, []Candidate{broken, far}, "", ReasonRegionNotReady},
		{"Twin", "Of two with one name the older one is it.", Wish{Name: "us"}, OwnNamespace, []Candidate{twin, far}, "kof-us", ""},
		{"TwinByPlace", "Also when it is found by place.", Wish{Place: us}, OwnNamespace, []Candidate{twin, far}, "kof-us", ""},
		{"Adopted", "Adopted clusters have no location.", Wish{Place: Place{Cloud: Adopted}}, OwnNamespace, []Candidate{candidate("n", "a", Place{Cloud: Adopted}, 1)}, "", ReasonNoRegion},
		{"NoLocation", "Two that do not say where they are, are not in one place.", Wish{Place: Place{Cloud: AWS}}, OwnNamespace, []Candidate{candidate("n", "a", Place{Cloud: AWS}, 1)}, "", ReasonNoRegion},
		{"Docker", "Clusters in Docker are all on one computer.", Wish{Place: Place{Cloud: Docker}}, OwnNamespace, []Candidate{candidate("n", "a", Place{Cloud: Docker}, 1)}, "kof-a", ""},
		{"KCMRegion", "A store of another region cannot be reached.", Wish{Place: eu, KCMRegion: "west", Name: "old"}, OwnNamespace, []Candidate{in(euOld, "east")}, "", ReasonNoRegion},
		{"KCMRegionSame", "One of the same can.", Wish{Place: eu, KCMRegion: "west"}, OwnNamespace, []Candidate{in(euOld, "east"), in(euNew, "west")}, "kof-new", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.wish.Child = child
			got, err := Choose(tc.wish, tc.reach, tc.all)
			says, _ := Unready(err)
			if got.Config.Name != tc.want || says.Reason != tc.reason || (err != nil) != (tc.reason != "") {
				t.Errorf("%s\nChoose = %s, %v; want %q %s", tc.why, got.Config, err, tc.want, tc.reason)
			}
		})
	}
}

// The label that makes the management cluster everybody's region counts on its own ConfigMap alone.
func TestCandidateOfEverybody(t *testing.T) {
	self := types.NamespacedName{Namespace: "kcm-system", Name: "mothership"}
	for _, tc := range []struct {
		why, namespace, name, label string
		self                        types.NamespacedName
		want                        bool
	}{
		{"The plane's own.", "kcm-system", "kof-mothership", "true", self, true},
		{"Somebody's in a namespace of theirs, under the same name.", "evil", "kof-mothership", "true", self, false},
		{"Another one beside it.", "kcm-system", "kof-eu", "true", self, false},
		{"Without the label it is a region like others.", "kcm-system", "kof-mothership", "", self, false},
		{"A plane that keeps nothing is nobody's region.", "kcm-system", "kof-mothership", "true", types.NamespacedName{}, false},
		{"Nor does an empty name make one.", "", "kof-", "true", types.NamespacedName{}, false},
	} {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: tc.namespace, Name: tc.name, Labels: map[string]string{kof.RegionlessLabel: tc.label}}}
		if got := CandidateOf(cm, tc.self).Regionless; got != tc.want {
			t.Errorf("%s\n%s/%s is everybody's region: %t", tc.why, tc.namespace, tc.name, got)
		}
	}
}

// What regions there are in other namespaces is not for everybody to know.
func TestChooseNamesRegionsInReach(t *testing.T) {
	at := Place{Cloud: AWS, AWS: "us-east-1"}
	own, others := candidate("n", "eu", Place{Cloud: AWS, AWS: "eu-west-1"}, 1), candidate("other", "hidden", Place{Cloud: AWS, AWS: "eu-west-1"}, 1)
	for _, w := range []Wish{{Place: at}, {Place: at, Name: "nope"}} {
		w.Child = types.NamespacedName{Namespace: "n", Name: "dev"}
		if _, err := Choose(w, OwnNamespace, []Candidate{own, others}); err == nil || !strings.Contains(err.Error(), "[n/eu]") {
			t.Errorf("the message is %v; want it to name the regions in reach alone", err)
		}
		if _, err := Choose(w, AllNamespaces, []Candidate{own, others}); err == nil || !strings.Contains(err.Error(), "[n/eu, other/hidden]") {
			t.Errorf("where all are in reach, the message is %v", err)
		}
	}
}

func TestCredential(t *testing.T) {
	const older, newer = "OLDOLDOLDOLDOLDOLD", "NEWNEWNEWNEWNEWNEW"
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(wish string, now time.Time) Rotation {
		return Rotation{Wish: wish, Now: now, Grace: time.Hour, Generate: func() string { return newer }}
	}
	first, again := Credential{}.Next(at("", now))
	if first.Password != newer || first.Previous != "" || !again.IsZero() {
		t.Errorf("the first credential is %+v, %s", first, again)
	}
	have := Credential{Password: older}
	if same, _ := have.Next(at("", now)); same != have {
		t.Errorf("a credential that nobody wants replaced becomes %+v", same)
	}
	rotated, again := have.Next(at("1", now))
	if rotated.Password != newer || rotated.Previous != older || !again.Equal(now.Add(time.Hour)) {
		t.Errorf("a replaced credential is %+v, %s", rotated, again)
	}
	if same, again := rotated.Next(at("1", now.Add(time.Minute))); same != rotated || !again.Equal(now.Add(time.Hour)) {
		t.Errorf("a wish is granted twice: %+v", same)
	}
	if kept, _ := rotated.Next(at("", now.Add(time.Minute))); kept != rotated {
		t.Errorf("a wish that is taken back replaces the credential again: %+v", kept)
	}
	if ended, again := rotated.Next(at("1", now.Add(time.Hour))); ended.Previous != "" || ended.Password != newer || !again.IsZero() {
		t.Errorf("the replaced password is good for ever: %+v", ended)
	}
	u := User{Name: "1", For: Owner{"ClusterDeployment", types.NamespacedName{Namespace: "n", Name: "a"}}, Namespace: "n", Tenant: "team-a"}
	if back := CredentialOf(u.Secret("n", rotated)); back != rotated {
		t.Errorf("what is written is read as %+v, want %+v", back, rotated)
	}
}

// A Secret beside a cluster is its tenant's to write: what vmauth would not take as it is stands for nothing.
func TestCredentialOfSpoiltSecret(t *testing.T) {
	const good = "0123456789abcdef"
	for _, tc := range []struct{ why, password, want string }{
		{"One that was made here, or by KOF.", good, good},
		{"The longest.", strings.Repeat("a", 128), strings.Repeat("a", 128)},
		{"Too long.", strings.Repeat("a", 129), ""},
		{"Short enough to be guessed.", good[1:], ""},
		{"A variable of vmauth's environment.", "%{HOME}0123456789abcdef", ""},
		{"A file.", "%{file:/etc/passwd}0000", ""},
		{"A second line.", good + "\n", ""},
		{"None.", "", ""},
	} {
		s := &corev1.Secret{Data: map[string][]byte{PasswordKey: []byte(tc.password), PreviousKey: []byte(tc.password)}}
		got := CredentialOf(s)
		if got.Password != tc.want || got.Previous != tc.want {
			t.Errorf("%s\nCredentialOf = %+v, want %q", tc.why, got, tc.want)
		}
		if next, _ := got.Next(Rotation{Now: time.Now(), Generate: func() string { return "anew" }}); tc.want == "" && next.Password != "anew" {
			t.Errorf("%s\nthe next password is %q; want one that is made anew", tc.why, next.Password)
		}
	}
}

func TestTenant(t *testing.T) {
	tests := []struct {
		why, label, namespace, want string
		good                        bool
	}{
		{"Without a label it is the platform's.", "", "", "PLATFORM", true},
		{"By its label.", "team-a", "", "team-a", true},
		{"A namespace that belongs to somebody decides.", "", "team-b", "team-b", true},
		{"Nobody names another tenant there.", "team-a", "team-b", "", false},
		{"What operators go by is not for a cluster to write.", string(store.Plane), "", "", false},
		{"Nor for those of a namespace.", "", string(store.Plane), "", false},
		{"No value of a label.", `a"}`, "", "", false},
		{"Too long for the value of a label.", strings.Repeat("a", 64), "", "", false},
	}
	for _, tc := range tests {
		got, err := Tenant(map[string]string{kof.TenantLabel: tc.label}, tc.namespace)
		if string(got) != tc.want || (err == nil) != tc.good {
			t.Errorf("%s\nTenant(%q, %q) = %q, %v", tc.why, tc.label, tc.namespace, got, err)
		}
	}
}

// Passwords stand in no object that others than their readers see.
func TestPropagateHidesPasswords(t *testing.T) {
	u := User{Name: "1", For: Owner{"ClusterDeployment", types.NamespacedName{Namespace: "n", Name: "a"}}, Namespace: "n", Cluster: "a", Tenant: "team-a"}
	m, err := u.Propagate(Settings{Template: "t"}.Defaulted(), Region{NamespacedName: types.NamespacedName{Namespace: "n", Name: "eu"}}, Credential{Password: "secret-word", Previous: "secret-word-2"})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(m.Spec); strings.Contains(text, "secret-word") || strings.Count(text, "getField") != 3 {
		t.Errorf("the MultiClusterService says %s", text)
	}
	for _, service := range m.Spec.ServiceSpec.Services {
		// What lets users in reads the Secrets of this namespace, and of no other.
		if service.Namespace != kof.Namespace || !strings.Contains(service.Values, "namespace: "+kof.Namespace) {
			t.Errorf("service %s goes to namespace %s: %s", service.Name, service.Namespace, service.Values)
		}
	}
	if text := m.Spec.ServiceSpec.Services[2].Values; !strings.Contains(text, `observability.portico.dev/user: "1"`) {
		t.Errorf("a name that looks like a number is not quoted: %s", text)
	}
	if len(m.Spec.ServiceSpec.Services) != 3 {
		t.Errorf("there are %d services, want two VMUsers and the Secret", len(m.Spec.ServiceSpec.Services))
	}
}

func FuzzReadRegion(f *testing.F) {
	f.Add("eu", "https://vmauth.example.org/vls", `{"dial_timeout":"5s"}`)
	f.Add("", "http://[::1]:8427/x", "{")
	f.Add("a\x00", "//a", "null")
	f.Fuzz(func(t *testing.T, name, endpoint, http string) {
		r := Region{NamespacedName: types.NamespacedName{Namespace: "n", Name: name}, Endpoints: EndpointsAt("https://a"), HTTP: http}
		r.Endpoints.ReadMetrics, r.Endpoints.ReadLogs = endpoint, endpoint
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "c"}, Data: r.Data()}
		got, err := ReadRegion(cm)
		if err != nil {
			if _, ok := Unready(err); !ok {
				t.Fatalf("the error says nothing about who moves next: %v", err)
			}
			return
		}
		reader := Reader{For: Owner{"ConfigMap", types.NamespacedName{Namespace: "n", Name: "c"}}, Region: got, User: "u"}
		if _, err := reader.ServerGroup(); err != nil {
			t.Fatalf("a region that is good cannot be asked: %v", err)
		}
		if _, err := reader.Connections(Settings{LogsCluster: "l", TracesCluster: "t"}.Defaulted()); err != nil {
			t.Fatalf("a region that is good cannot be connected: %v", err)
		}
	})
}
