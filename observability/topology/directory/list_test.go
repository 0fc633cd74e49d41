package directory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/topology"
)

var self = types.NamespacedName{Namespace: "kcm-system", Name: "mothership"}

// region is the ConfigMap of one, so many minutes old, after some changes.
func region(namespace, name string, age int, change ...func(*corev1.ConfigMap)) corev1.ConfigMap {
	r := topology.Region{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}, Endpoints: topology.EndpointsAt("https://vmauth." + name + ".example.org")}
	cm := corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "kof-" + name, Labels: map[string]string{kof.ClusterRoleLabel: kof.RegionalRole}, Annotations: map[string]string{},
			CreationTimestamp: metav1.NewTime(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC).Add(-time.Duration(age) * time.Minute)),
		},
		Data: r.Data(),
	}
	for _, f := range change {
		f(&cm)
	}
	return cm
}

func set(key, value string) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) { cm.Data[key] = value }
}

func user(name string) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) { cm.Annotations[topology.UserAnnotation] = name }
}

func called(name string) func(*corev1.ConfigMap) {
	return func(cm *corev1.ConfigMap) { cm.Name = name }
}

// adminOf is the Secret that is made for a region.
func adminOf(cm corev1.ConfigMap, c topology.Credential) corev1.Secret {
	at := types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name}
	u := topology.User{Name: admin(&cm), For: topology.Owner{Kind: "ConfigMap", NamespacedName: at}, Namespace: cm.Namespace}
	return *u.Secret(kof.Namespace, c)
}

func secret(namespace, name string, pairs ...string) corev1.Secret {
	s := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		s.Data[pairs[i]] = []byte(pairs[i+1])
	}
	return s
}

// agreed is a Secret that regions of its namespace may name.
func agreed(s corev1.Secret) corev1.Secret {
	s.Labels = map[string]string{topology.ConsentLabel: "true"}
	return s
}

const named = `{"basic_auth":{"credentials_secret_name":"theirs","username_key":"u","password_key":"p"}}`

func TestList(t *testing.T) {
	eu, us := region("kcm-system", "eu", 9), region("kcm-system", "us", 8)
	password := topology.Credential{Password: "secret-word"}
	for _, tc := range []struct {
		name, why string
		configs   []corev1.ConfigMap
		secrets   []corev1.Secret
		want      []string
	}{
		{"Two", "Each by the credentials that were made for it.", []corev1.ConfigMap{us, eu}, []corev1.Secret{adminOf(eu, password), adminOf(us, password)},
			[]string{"eu as admin-954730116 [secret-word]", "us as admin-966788754 [secret-word]"}},
		{"Rotated", "The one before is still good, and known to a region that has not heard of the new one: it is tried first.", []corev1.ConfigMap{eu},
			[]corev1.Secret{adminOf(eu, topology.Credential{Password: "new", Previous: "old", At: time.Unix(1, 0)})}, []string{"eu as admin-954730116 [old new]"}},
		{"Self", "The plane asks its own stores by itself.", []corev1.ConfigMap{region("kcm-system", "mothership", 9, func(cm *corev1.ConfigMap) { cm.Labels[kof.RegionlessLabel] = "true" }), eu},
			[]corev1.Secret{adminOf(eu, password)}, []string{"eu as admin-954730116 [secret-word]"}},
		{"NamedAsSelf", "Nobody takes the plane's name.", []corev1.ConfigMap{region("team", "mothership", 9)}, nil, []string{"team/mothership lacks: Secret kof/kof-vmuser-creds-admin-1263470471 does not exist"}},
		{"NoSecret", "It is in the list with the reason.", []corev1.ConfigMap{eu, us}, []corev1.Secret{adminOf(us, password)},
			[]string{"eu lacks: Secret kof/kof-vmuser-creds-admin-954730116 does not exist", "us as admin-966788754 [secret-word]"}},
		{"NoEndpoint", "So is one that does not say where it is.", []corev1.ConfigMap{region("kcm-system", "eu", 9, set("read_logs_endpoint", ""))}, nil,
			[]string{"eu lacks: region eu has no read_logs_endpoint; correct ConfigMap kcm-system/kof-eu"}},
		{"BadEndpoint", "Or says it wrongly.", []corev1.ConfigMap{region("kcm-system", "eu", 9, set("read_metrics_endpoint", "vmauth.example.org"))}, nil,
			[]string{`eu lacks: read_metrics_endpoint "vmauth.example.org": expected http:// or https://; correct`}},
		{"NoName", "One without a name is called as its ConfigMap.", []corev1.ConfigMap{region("kcm-system", "eu", 9, set("regional_cluster_name", ""))}, nil,
			[]string{"kcm-system/kof-eu lacks: data.regional_cluster_name is empty; correct"}},
		{"Twin", "Of two with one name the older one is the region.", []corev1.ConfigMap{region("kcm-system", "eu", 3, called("kof-eu-2")), eu}, []corev1.Secret{adminOf(eu, password)},
			[]string{"eu as admin-954730116 [secret-word]", "kcm-system/eu lacks: region kcm-system/eu is described by ConfigMap kcm-system/kof-eu already"}},
		{"Elsewhere", "In another namespace a name is another region, which cannot take the name of an older one.", []corev1.ConfigMap{region("team", "eu", 3), eu},
			[]corev1.Secret{adminOf(eu, password), adminOf(region("team", "eu", 3), password)}, []string{"eu as admin-954730116 [secret-word]", "team/eu as admin-412222494 [secret-word]"}},
		{"Named", "Credentials that a region names are beside it.", []corev1.ConfigMap{region("team", "eu", 9, set(httpKey, named))}, []corev1.Secret{agreed(secret("team", "theirs", "u", "reader", "p", "word"))},
			[]string{"eu as reader [word]"}},
		{"NamedUnasked", "Whoever may not read a Secret does not have it sent to a host of theirs.", []corev1.ConfigMap{region("team", "eu", 9, set(httpKey, named))}, []corev1.Secret{secret("team", "theirs", "u", "reader", "p", "word")},
			[]string{"eu lacks: Secret team/theirs does not say that its credentials may be sent to a region"}},
		{"NamedBeside", "Those who run the plane have agreed.", []corev1.ConfigMap{region("kcm-system", "eu", 9, set(httpKey, named))}, []corev1.Secret{secret("kcm-system", "theirs", "u", "reader", "p", "word")},
			[]string{"eu as reader [word]"}},
		{"NamedAnywhere", "Those of the plane are not for whoever writes a ConfigMap.", []corev1.ConfigMap{region("team", "eu", 9, set(httpKey, named))}, []corev1.Secret{secret(kof.Namespace, "theirs", "u", "reader", "p", "word")},
			[]string{"eu lacks: Secret team/theirs does not exist, which kof_http_config names: create it with the keys u and p"}},
		{"NamedByUs", "Those who run the plane may keep them where KOF does.", []corev1.ConfigMap{region("kcm-system", "eu", 9, set(httpKey, named))}, []corev1.Secret{secret(kof.Namespace, "theirs", "u", "reader", "p", "word")},
			[]string{"eu as reader [word]"}},
		{"Empty", "A Secret without a password is none.", []corev1.ConfigMap{region("team", "eu", 9, set(httpKey, named))}, []corev1.Secret{agreed(secret("team", "theirs", "u", "reader"))},
			[]string{"eu lacks: Secret team/theirs lacks one of the keys u and p: set both"}},
		{"Stolen", "Whoever names the admin of another region does not get its password sent.", []corev1.ConfigMap{region("team", "evil", 9, user(admin(&eu)))}, []corev1.Secret{adminOf(eu, password)},
			[]string{`evil lacks: Secret kof/kof-vmuser-creds-admin-954730116 was made for "ConfigMap/kcm-system/kof-eu", and not for this region`}},
		{"NoJSON", "What is no JSON is said.", []corev1.ConfigMap{region("kcm-system", "eu", 9, set(httpKey, "{"))}, nil, []string{"eu lacks: kof_http_config of region eu is not as expected"}},
		{"NoCertificate", "So is an authority that is none.", []corev1.ConfigMap{region("kcm-system", "eu", 9, set(httpKey, `{"tls_config":{"ca":"x"}}`))}, nil,
			[]string{"eu lacks: kof_http_config.tls_config.ca of region eu: expected a certificate in PEM form; correct"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := List(Observed{Configs: tc.configs, Secrets: tc.secrets}, Settings{Self: self, Trusted: []string{"kcm-system"}})
			var lines []string
			for i, l := range got {
				line := fmt.Sprintf("%s as %s %v", l.Name, l.Login.User, l.Login.Passwords)
				if l.Err != nil {
					line = fmt.Sprintf("%s lacks: %s; %s", l.Name, strings.Replace(strings.Replace(l.Err.Error(), "invalid: ", "", 1), "not yet: ", "", 1), l.Next)
					// The words after what is expected are those of others.
					if i < len(tc.want) {
						line = cut(line, tc.want[i])
					}
				}
				lines = append(lines, line)
			}
			if diff := cmp.Diff(tc.want, lines); diff != "" {
				t.Errorf("%s\n%s", tc.why, diff)
			}
		})
	}
}

// cut leaves of a text what begins as wanted, piece by piece at semicolons.
func cut(text, want string) string {
	have, wanted := strings.Split(text, "; "), strings.Split(want, "; ")
	for i := range have {
		if i < len(wanted) && strings.HasPrefix(have[i], wanted[i]) {
			have[i] = wanted[i]
		}
	}
	return strings.Join(have[:min(len(have), len(wanted))], "; ")
}

// What was let in last is tried first, unless the region must know another one by now.
func TestUse(t *testing.T) {
	var l line
	for _, step := range []struct {
		why  string
		next Login
		want []string
		// in is which of them is let in then; -1 for none.
		in int
	}{
		{"At first there is one.", Login{User: "a", Passwords: []string{"1"}}, []string{"1"}, -1},
		{"One that was not let in is not kept.", Login{User: "a", Passwords: []string{"2"}}, []string{"2"}, 0},
		{"Nothing changes.", Login{User: "a", Passwords: []string{"2"}}, []string{"2"}, 0},
		{"We replace it: for a while both are good.", Login{User: "a", Passwords: []string{"2", "3"}}, []string{"2", "3"}, 0},
		{"Then the new one is, of which the region was told long ago.", Login{User: "a", Passwords: []string{"3"}}, []string{"3", "2"}, 0},
		{"A Secret that is written by hand has no memory.", Login{User: "a", Passwords: []string{"4"}}, []string{"3", "4"}, 0},
		{"Other news keep it.", Login{User: "a", Passwords: []string{"4"}}, []string{"4", "3"}, 1},
		{"Another user has another password.", Login{User: "b", Passwords: []string{"x"}}, []string{"x"}, -1},
	} {
		l.use(step.next)
		now := l.login.Load()
		if diff := cmp.Diff(step.want, now.Passwords); diff != "" {
			t.Errorf("%s\n%s", step.why, diff)
		}
		if step.in >= 0 {
			l.letIn(now, step.in)
		}
	}
}
