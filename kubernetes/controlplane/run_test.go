package controlplane_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// What was acknowledged survives kill -9, under the same authority and kubeconfig; a second
// process keeps out; being told to stop ends in peace.
func TestLife(t *testing.T) {
	c := newControlPlane(t, "")
	c.start(t)
	clients := c.clients(t)
	namespace(t, clients, "kept")
	configMap(t, clients, "kept", "answer", "42")
	kubeconfig := read(t, c.dir, "kubeconfig")
	authority := read(t, c.dir, "pki/ca.crt")

	t.Run("SecondProcess", func(t *testing.T) {
		second := *c
		code, out := second.run(t)
		if want := "locking " + c.dir + ": another control plane runs in this folder; stop it first"; code != 1 || !strings.HasSuffix(lastLine(out), want) {
			t.Errorf("exit code %d, last line %q, want %q", code, lastLine(out), want)
		}
	})
	t.Run("Anonymous", func(t *testing.T) { anonymous(t, c) })

	c.kill()
	c.start(t)
	clients = c.clients(t)
	if cm, err := clients.CoreV1().ConfigMaps("kept").Get(t.Context(), "answer", metav1.GetOptions{}); err != nil || cm.Data["value"] != "42" {
		t.Errorf("after kill -9 the ConfigMap is %v, %v", cm, err)
	}
	if !bytes.Equal(kubeconfig, read(t, c.dir, "kubeconfig")) || !bytes.Equal(authority, read(t, c.dir, "pki/ca.crt")) {
		t.Error("a restart changed the kubeconfig or the authority")
	}

	watched, err := clients.CoreV1().Namespaces().Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watched.Stop() // a client that never lets go must not keep the process alive
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("told to stop, it ended with code %d:\n%s", code, c.out)
	}
}

// A process that is told to stop before it is ready has not failed.
func TestStopWhileStarting(t *testing.T) {
	c := newControlPlane(t, "")
	c.start(t)
	for served := false; !served; { // the port is taken before anything else
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
		if served = err == nil; served {
			connection.Close()
		}
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, c.out)
	}
}

// anonymous requests learn that the server is well, and nothing else.
func anonymous(t *testing.T, c *controlPlane) {
	answers(t, c, map[string]int{"/readyz": http.StatusOK, "/livez": http.StatusOK, "/version": http.StatusUnauthorized, "/api/v1/namespaces": http.StatusUnauthorized})
}

// nobody learns anything without saying who it is.
func nobody(t *testing.T, c *controlPlane) {
	answers(t, c, map[string]int{"/readyz": http.StatusUnauthorized, "/version": http.StatusUnauthorized})
}

func answers(t *testing.T, c *controlPlane, codes map[string]int) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read(t, c.dir, "pki/ca.crt"))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for path, want := range codes {
		response, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d%s", c.port, path))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, response.StatusCode, want)
		}
	}
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: RequestResponse, resources: [{group: "", resources: [configmaps]}]}
- {level: None}
`

const encryption = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - secretbox: {keys: [{name: k1, secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}
`

const jwt = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer: {url: "https://login.example.org", audiences: [portico]}
  claimMappings: {username: {claim: sub, prefix: "oidc:"}}
`

// A document about tokens does not open the server to strangers, and one that closes it to them
// leaves it to those who can say who they are.
func TestStrangers(t *testing.T) {
	for _, r := range []struct {
		name, document string
		look           func(*testing.T, *controlPlane)
	}{
		{"NotMentioned", jwt, anonymous},
		{"Refused", jwt + "anonymous: {enabled: false}\n", nobody},
	} {
		t.Run(r.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "authentication.yaml")
			write(t, file, r.document)
			c := newControlPlane(t, fmt.Sprintf("apiServer: {authenticationConfigFile: %s}\ncontrollerManager: {disabled: true}\n", file))
			c.start(t)
			c.clients(t)
			r.look(t, c)
		})
	}
}

// Audit and encryption are upstream's; this proves that the files reach them.
func TestSecurity(t *testing.T) {
	files := t.TempDir()
	policy, keys := filepath.Join(files, "policy.yaml"), filepath.Join(files, "encryption.yaml")
	write(t, policy, auditPolicy)
	write(t, keys, encryption)
	c := newControlPlane(t, fmt.Sprintf("apiServer: {audit: {policyFile: %s}, encryptionConfigFile: %s}\ncontrollerManager: {disabled: true}\n", policy, keys))
	c.start(t)
	clients := c.clients(t)
	namespace(t, clients, "n")
	configMap(t, clients, "n", "open", "visible-in-etcd")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"k": "never-in-etcd"}}
	if _, err := clients.CoreV1().Secrets("n").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil { // flushes database and audit log
		t.Fatal(err)
	}
	<-c.ended

	database := read(t, c.dir, "etcd/member/snap/db")
	if !bytes.Contains(database, []byte("visible-in-etcd")) {
		t.Error("the ConfigMap is not in etcd's database: this test looks at the wrong place")
	}
	if bytes.Contains(database, []byte("never-in-etcd")) {
		t.Error("the Secret is in etcd's database in clear")
	}
	if !bytes.Contains(database, []byte("k8s:enc:secretbox:v1:k1:")) {
		t.Error("etcd's database has nothing that was encrypted with the given key")
	}
	log := string(read(t, c.dir, "audit.log"))
	if !strings.Contains(log, `"resource":"configmaps"`) || !strings.Contains(log, "visible-in-etcd") || strings.Contains(log, `"resource":"secrets"`) {
		t.Errorf("the audit log does not follow the policy:\n%.2000s", log)
	}
}

// Certificates are renewed under a running API server, which serves the new one without a
// restart.
func TestRotation(t *testing.T) {
	c := newControlPlane(t, "certificates: {validity: 20s}\ncontrollerManager: {disabled: true}\n")
	c.start(t)
	c.clients(t)
	first := served(t, c)
	for served(t, c).SerialNumber.Cmp(first.SerialNumber) == 0 {
		if time.Now().After(first.NotAfter) {
			t.Fatalf("the certificate expired at %s and was not replaced:\n%s", first.NotAfter, c.out)
		}
		time.Sleep(100 * time.Millisecond)
	}
	// The first kubeconfig's certificate is as old as the server's: the file must be new too.
	<-time.After(time.Until(first.NotAfter))
	if _, err := c.connect(t.Context()); err != nil {
		t.Errorf("the kubeconfig does not work after the first certificates ended: %v", err)
	}
}

func served(t *testing.T, c *controlPlane) *x509.Certificate {
	t.Helper()
	// What is checked here is the serial number; the chain is checked by every client elsewhere.
	connection, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0]
}

// What cannot work is refused, with code 1 and a last line that says what to do.
func TestRefused(t *testing.T) {
	for _, r := range []struct {
		name, why, more string
		prepare         func(t *testing.T, c *controlPlane)
		says            string
	}{
		{"PortTaken", "Told at once, before etcd starts.", "", takePort, "another program has this port"},
		{"Version", "The wrong program for this cluster must not touch its data.", "kubernetesVersion: v1.2.3\n", nil, "the configuration wants kubernetesVersion v1.2.3"},
		{"Field", "A wrong field is named.", "podCIDR: x\n", nil, "podCIDR: Invalid value"},
		{"Flag", "An unknown flag is the component's own error.", "apiServer: {extraArgs: {no-such-flag: x}}\n", nil, "starting kube-apiserver: unknown flag: --no-such-flag"},
		{"LateFlag", "Later parts end the process, too.", "controllerManager: {extraArgs: {concurrent-gc-syncs: x}}\n", nil, "kube-controller-manager: invalid argument"},
		{"Folder", "A folder that cannot be made.", "", fileInTheWay, "making the control plane's folder"},
	} {
		t.Run(r.name, func(t *testing.T) {
			c := newControlPlane(t, r.more)
			if r.prepare != nil {
				r.prepare(t, c)
			}
			code, out := c.run(t)
			if last := lastLine(out); code != 1 || !strings.HasPrefix(last, "portico-kube controlplane: ") || !strings.Contains(last, r.says) {
				t.Errorf("%s\nexit code %d, last line %q, want %q", r.why, code, last, r.says)
			}
		})
	}
}

func takePort(t *testing.T, c *controlPlane) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func fileInTheWay(t *testing.T, c *controlPlane) { write(t, c.dir, "") }

func namespace(t *testing.T, clients *kubernetes.Clientset, name string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := clients.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func configMap(t *testing.T, clients *kubernetes.Clientset, namespace, name, value string) {
	t.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"value": value}}
	if _, err := clients.CoreV1().ConfigMaps(namespace).Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}
