package source_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"golang.org/x/crypto/ssh"
)

// sshServer gives read access to a gitServer's repositories to the holder of one key.
type sshServer struct {
	t      *testing.T
	root   string
	config *ssh.ServerConfig
	listen net.Listener
	// identity is the client's private key, knownHosts names the server's public one.
	identity, knownHosts string
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func newSSHServer(t *testing.T, root string) *sshServer {
	t.Helper()
	host, _ := newKey(t)
	client, identity := newKey(t)
	s := &sshServer{t: t, root: root, identity: identity}
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(client.PublicKey().Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	s.config.AddHostKey(host)
	var err error
	if s.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.listen.Close() })
	address := s.listen.Addr().(*net.TCPAddr)
	s.knownHosts = fmt.Sprintf("[127.0.0.1]:%d %s", address.Port, ssh.MarshalAuthorizedKey(host.PublicKey()))
	go s.serve()
	return s
}

func (s *sshServer) serve() {
	for {
		conn, err := s.listen.Accept()
		if err != nil {
			return
		}
		go s.handle(conn)
	}
}

func (s *sshServer) handle(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for open := range channels {
		channel, requests, err := open.Accept()
		if err != nil {
			return
		}
		go s.session(channel, requests)
	}
}

// session runs git-upload-pack 'path' and nothing else.
func (s *sshServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(r.Type == "env", nil)
			continue
		}
		var command struct{ Line string }
		if ssh.Unmarshal(r.Payload, &command) != nil {
			return
		}
		path, ok := strings.CutPrefix(command.Line, "git-upload-pack ")
		_ = r.Reply(ok, nil)
		if !ok {
			return
		}
		code := s.upload(channel, strings.Trim(path, "'"))
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
		return
	}
}

func (s *sshServer) upload(channel ssh.Channel, path string) uint32 {
	cmd := exec.Command("git", "upload-pack", filepath.Join(s.root, filepath.Clean("/"+path)))
	in, err := cmd.StdinPipe()
	if err != nil {
		return 1
	}
	cmd.Stdout = channel
	if err := cmd.Start(); err != nil {
		return 1
	}
	// The program ends before the client closes its side, so the copy is not waited for.
	go func() { _, _ = io.Copy(in, channel); in.Close() }()
	if cmd.Wait() != nil {
		return 1
	}
	return 0
}

func TestGitOverSSH(t *testing.T) {
	e, g := start(t), newGitServer(t)
	commit := g.commit("app", map[string]string{"a.yaml": "1"})
	server := newSSHServer(t, g.root)
	stranger := newSSHServer(t, g.root)
	repo := gitRepository(e, g, "app", sourcev1.GitRepositoryRef{Branch: "main"})
	repo.Spec.URL = "ssh://git@" + server.listen.Addr().String() + "/app/.git"
	repo.Spec.SecretRef = &meta.LocalObjectReference{Name: "key"}
	e.create(
		secret(e, "key", map[string]string{"identity": server.identity, "known_hosts": server.knownHosts}),
		secret(e, "imposter", map[string]string{"identity": server.identity, "known_hosts": strings.Replace(stranger.knownHosts, fmt.Sprint(stranger.listen.Addr().(*net.TCPAddr).Port), fmt.Sprint(server.listen.Addr().(*net.TCPAddr).Port), 1)}),
		secret(e, "stranger", map[string]string{"identity": stranger.identity, "known_hosts": server.knownHosts}),
		secret(e, "nothing", map[string]string{"username": "me"}),
		repo,
	)
	awaitReady(e, repo, &sourcev1.GitRepositoryList{})
	if got := repo.Status.Artifact.Revision; got != "main@sha1:"+commit {
		t.Errorf("revision %s", got)
	}
	for _, tc := range []struct{ secret, reason, words string }{
		{"imposter", "GitOperationFailed", "mismatch"},
		{"stranger", "GitOperationFailed", "unable to authenticate"},
		{"nothing", "AuthenticationFailed", "identity and known_hosts"},
	} {
		change(e, repo, func(r *sourcev1.GitRepository) { r.Spec.SecretRef.Name = tc.secret })
		await(e, repo, &sourcev1.GitRepositoryList{}, func(r *sourcev1.GitRepository) bool { return broken(r, tc.reason, tc.words) })
	}
}
