package pki_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico.dev/portico/pki"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.key")
	write := func(data string) os.FileInfo {
		t.Helper()
		if err := pki.WriteFile(path, []byte(data)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := write("one")
	if first.Mode().Perm() != 0o600 {
		t.Errorf("mode %o: a key is its owner's", first.Mode().Perm())
	}
	if same := write("one"); !os.SameFile(first, same) {
		t.Error("equal contents were written again: those who watch the file would reload")
	}
	if second := write("two"); os.SameFile(first, second) {
		t.Error("the file was changed in place: a reader could see half of it")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "two" {
		t.Errorf("contents %q, %v", data, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	err := pki.WriteFile(filepath.Join(path, "below"), []byte("secret"))
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v: want one that names the file and not its contents", err)
	}
}

func TestBundle(t *testing.T) {
	pair := issue(t, authority(t, "ca"), serverLeaf())
	again := pki.ParseBundle(pair.Bundle())
	if !bytes.Equal(again.Certificate, pair.Certificate) || !bytes.Equal(again.Key, pair.Key) {
		t.Error("a bundle taken apart is not the pair it was made of")
	}
	if half := pki.ParseBundle(pair.Certificate); half.Key != nil {
		t.Errorf("a key out of nowhere: %d bytes", len(half.Key))
	}
}

func TestServiceAccountKey(t *testing.T) {
	pair, err := pki.NewServiceAccountKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pki.PublicKeyPEM(pair.Key)
	if err != nil || !bytes.Equal(public, pair.Certificate) {
		t.Errorf("the public half differs from what was handed out: %v", err)
	}
	_, err = pki.PublicKeyPEM([]byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"))
	if err == nil || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("error %v: want one that does not quote the key", err)
	}
}

func TestKubeconfig(t *testing.T) {
	k := pki.Kubeconfig{
		Cluster: "dev", Server: "https://127.0.0.1:6443", Authority: []byte("ca"),
		User: "kubernetes-admin", Client: pki.Pair{Certificate: []byte("crt"), Key: []byte("key")},
	}
	const embedded = `apiVersion: v1
kind: Config
clusters:
- name: "dev"
  cluster:
    server: "https://127.0.0.1:6443"
    certificate-authority-data: Y2E=
users:
- name: "kubernetes-admin"
  user:
    client-certificate-data: Y3J0
    client-key-data: a2V5
contexts:
- name: "kubernetes-admin@dev"
  context:
    cluster: "dev"
    user: "kubernetes-admin"
current-context: "kubernetes-admin@dev"
`
	if got := string(k.Bytes()); got != embedded {
		t.Errorf("embedded:\n%s", got)
	}
	k.ClientFile = `/a "b"/client.pem`
	if got := string(k.Bytes()); !strings.Contains(got, `client-key: "/a \"b\"/client.pem"`) || strings.Contains(got, "a2V5") {
		t.Errorf("by file:\n%s", got)
	}
}
