package alertmanager_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/alert/vmalert"
	"portico.dev/portico/observability/store"
)

// program is the path of one of the engines' programs, absolute. The test is skipped without it.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/libexec/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not built", name)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts a program, waits until it answers at an address, and ends it with the test.
func run(t *testing.T, health, path string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(path)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()         // killed
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s said:\n%s", filepath.Base(path), text)
		}
	})
	await(t, filepath.Base(path)+" to answer", func() bool {
		resp, err := http.Get(health)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if happened() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// stage is the real programs, connected as a plane connects them.
type stage struct {
	store, alertmanager, vmalert string
	rules                        vmalert.Folder
	config                       alertmanager.ConfigFile
	client                       *alertmanager.Client
}

func setStage(t *testing.T) stage {
	t.Helper()
	victoria, vma, am := program(t, "victoria-metrics"), program(t, "vmalert"), program(t, "alertmanager")
	dir := t.TempDir()
	storeAt, rulesAt, alertsAt := freeAddress(t), freeAddress(t), freeAddress(t)
	s := stage{store: "http://" + storeAt, alertmanager: "http://" + alertsAt, vmalert: "http://" + rulesAt}
	s.client = alertmanager.New(s.alertmanager, http.DefaultClient)
	none := func(context.Context) error { return nil }
	s.config = alertmanager.ConfigFile{Path: filepath.Join(dir, "alertmanager.yaml"), Reload: none}
	if err := s.config.Apply(t.Context(), alertmanager.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	s.config.Reload = s.client.Reload
	s.rules = vmalert.Folder{Dir: filepath.Join(dir, "rules"), Reload: vmalert.Reload(s.vmalert, http.DefaultClient)}
	if err := os.MkdirAll(s.rules.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, s.store+"/health", victoria, "-httpListenAddr="+storeAt, "-storageDataPath="+filepath.Join(dir, "store"), "-search.latencyOffset=0s")
	run(t, s.alertmanager+"/-/ready", am, "--config.file="+s.config.Path, "--storage.path="+filepath.Join(dir, "alerts"), "--web.listen-address="+alertsAt, "--cluster.listen-address=")
	flags := vmalert.Options{Listen: rulesAt, Rules: s.rules.Dir, Query: s.store, Write: s.store, Alertmanager: s.alertmanager, Every: time.Second}.Flags()
	run(t, s.vmalert+"/health", vma, append(flags, "-rule.evalDelay=0s")...)
	return s
}

func (s stage) feed(t *testing.T, lines ...string) {
	t.Helper()
	resp, err := http.Post(s.store+"/api/v1/import/prometheus", "text/plain", strings.NewReader(strings.Join(lines, "\n")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("the store answered %s", resp.Status)
	}
}

func find(alerts []alertmanager.Alert, name, cluster string) *alertmanager.Alert {
	for _, a := range alerts {
		if a.Labels["alertname"] == name && a.Labels["cluster"] == cluster {
			return &a
		}
	}
	return nil
}

// A sample goes into the real store; the real vmalert evaluates our rules and a tenant's version of
// one; the real Alertmanager shows each tenant its own, and a silence of one hides its own.
func TestFromSampleToSilence(t *testing.T) {
	s := setStage(t)
	groups, err := alert.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	hot := alert.Group{Name: "test", Rules: []alert.Rule{{Alert: "Hot", Expr: "max by (k8s_node_name) (temperature) > 30", Labels: map[string]string{"severity": "warning"}}}}
	// It parses, and cannot be evaluated: that must not keep the others from being.
	mixed := alert.Rules{Alerts: []alert.Group{{Name: "mixed", Rules: []alert.Rule{{Alert: "Mixed", Expr: "temperature * on () group_left () temperature"}}}}}
	rules := alert.Merge(alert.Sources{Defaults: append(groups, hot)})
	if err := s.rules.Apply(t.Context(), slices.Concat(rules.AlertFiles(), rules.RecordFiles(""), mixed.AlertFiles())); err != nil {
		t.Fatal(err)
	}
	var seen []alertmanager.Alert
	list := func(in store.Scope) []alertmanager.Alert {
		s.feed(t, `temperature{cluster="c1",tenant="a",k8s_node_name="n"} 40`, `temperature{cluster="c2",tenant="b",k8s_node_name="n"} 50`)
		seen, err = s.client.Alerts(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	await(t, "both alerts and the watchdog", func() bool {
		all := list(store.Everybody())
		return find(all, "Hot", "c1") != nil && find(all, "Hot", "c2") != nil && find(all, alert.Watchdog, "") != nil
	})
	await(t, "vmalert to say which rule it cannot evaluate", func() bool {
		failing, err := vmalert.Failing(t.Context(), s.vmalert, http.DefaultClient)
		if err != nil {
			t.Fatal(err)
		}
		list(store.Everybody())
		return len(failing) == 1 && failing[0].Object == "mixed.yaml" && failing[0].Rule == "Mixed"
	})
	if time.Since(alertmanager.Heartbeat(seen, alert.Watchdog)) > time.Minute {
		t.Error("the watchdog's heartbeat is old")
	}
	for _, a := range list(store.Of("a")) {
		if a.Labels["tenant"] != "a" {
			t.Errorf("tenant a sees %v", a.Labels)
		}
	}
	now := time.Now()
	silence := alertmanager.Silence{Matchers: []alertmanager.Matcher{{Name: "alertname", Value: "Hot", IsEqual: true}}, StartsAt: now, EndsAt: now.Add(time.Hour), CreatedBy: "somebody", Comment: "it is summer"}
	id, err := s.client.Silence(t.Context(), store.Of("a"), silence)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the alert of tenant a to be silenced", func() bool { return find(list(store.Of("a")), "Hot", "c1").Silenced() })
	if find(list(store.Everybody()), "Hot", "c2").Silenced() {
		t.Error("a silence of tenant a hides an alert of tenant b")
	}
	s.othersCannotTouch(t, id, silence)
	if err := s.client.Expire(t.Context(), store.Of("a"), id); err != nil {
		t.Fatal(err)
	}
	await(t, "the alert of tenant a to be back", func() bool { return !find(list(store.Of("a")), "Hot", "c1").Silenced() })
	if err := s.client.Expire(t.Context(), store.Of("a"), id); err != nil {
		t.Errorf("expiring twice: %v", err)
	}
}

func (s stage) othersCannotTouch(t *testing.T, id string, silence alertmanager.Silence) {
	t.Helper()
	if err := s.client.Expire(t.Context(), store.Of("b"), id); !errors.Is(err, fleet.ErrNotYet) {
		t.Errorf("tenant b expires a silence of tenant a: %v", err)
	}
	silence.ID, silence.EndsAt = id, silence.EndsAt.Add(time.Hour)
	if _, err := s.client.Silence(t.Context(), store.Of("b"), silence); !errors.Is(err, fleet.ErrNotYet) {
		t.Errorf("tenant b changes a silence of tenant a: %v", err)
	}
	for _, in := range []store.Scope{store.Of("a"), store.Of("b")} {
		silences, err := s.client.Silences(t.Context(), in)
		if want := map[store.Tenant]int{"a": 1}[in.Tenant()]; err != nil || len(silences) != want {
			t.Errorf("tenant %s sees silences %v, %v, want %d", in.Tenant(), silences, err, want)
		}
	}
	if err := s.client.Expire(t.Context(), store.Of("a"), "../alerts"); !errors.Is(err, fleet.ErrNotYet) {
		t.Errorf("an id that is a path: %v", err)
	}
}

// A configuration that Alertmanager refuses leaves the one before in force and in the file.
func TestRefusedConfiguration(t *testing.T) {
	am := program(t, "alertmanager")
	dir, at := t.TempDir(), freeAddress(t)
	client := alertmanager.New("http://"+at, http.DefaultClient)
	file := alertmanager.ConfigFile{Path: filepath.Join(dir, "alertmanager.yaml"), Reload: func(context.Context) error { return nil }}
	if err := file.Apply(t.Context(), alertmanager.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	run(t, "http://"+at+"/-/ready", am, "--config.file="+file.Path, "--storage.path="+filepath.Join(dir, "alerts"), "--web.listen-address="+at, "--cluster.listen-address=")
	file.Reload = client.Reload
	refused := []byte("route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{}]}]\n")
	if err := file.Apply(t.Context(), refused); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(fmt.Sprint(err), "url") {
		t.Errorf("a webhook without address: %v", err)
	}
	if is, err := os.ReadFile(file.Path); err != nil || string(is) != string(alertmanager.DefaultConfig()) {
		t.Errorf("the file is %s, %v", is, err)
	}
	if err := file.Apply(t.Context(), []byte("route: {receiver: a}\nreceivers: [{name: a}]\n")); err != nil {
		t.Error(err)
	}
}
