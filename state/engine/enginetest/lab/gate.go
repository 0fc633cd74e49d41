package lab

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Gate stands before an API server and lets through what it is told to. Severed, it refuses
// connections, as a machine does whose API server has died.
type Gate struct {
	proxy       http.Handler
	namespace   string
	address     string
	tls         *tls.Config
	certificate []byte

	mu      sync.Mutex
	server  *http.Server
	severed bool
	left    int // writes before it is severed; less than zero for: never
	writes  int
	journal []string
	// asked counts requests by method and resource, but for those of watches that go on.
	asked map[string]int
	// restarts counts by path what was written to the pods of a workload, but for Helm.
	restarts map[string]int
	// held lets go when the gate is mended.
	held chan struct{}
}

// NewGate makes a gate that goes with the test. Of the Secrets of all namespaces it shows those
// of one: targets share the server, and each keeps its own records of releases.
func NewGate(t testing.TB, config *rest.Config, namespace string) *Gate {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	host, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(host)
	proxy.Transport, proxy.FlushInterval = transport, -1
	// What cannot be passed on is not answered at all.
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	model := httptest.NewTLSServer(nil) // it has a certificate for loopback
	defer model.Close()
	g := &Gate{
		proxy: proxy, namespace: namespace, address: "127.0.0.1:0", tls: model.TLS.Clone(), left: -1, restarts: map[string]int{}, asked: map[string]int{},
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: model.Certificate().Raw}),
	}
	g.open()
	t.Cleanup(g.Sever)
	return g
}

// open accepts connections, always at the same address.
func (g *Gate) open() {
	listener, err := net.Listen("tcp", g.address)
	if err != nil {
		panic("opening the gate again: " + err.Error())
	}
	g.address, g.severed = listener.Addr().String(), false
	g.server = &http.Server{Handler: g, ErrorLog: log.New(io.Discard, "", 0)}
	go g.server.Serve(tls.NewListener(listener, g.tls))
}

// Kubeconfig leads through the gate.
func (g *Gate) Kubeconfig(t testing.TB) []byte {
	t.Helper()
	return Kubeconfig(t, &rest.Config{Host: "https://" + g.address, BearerToken: "whoever comes through the gate", TLSClientConfig: rest.TLSClientConfig{CAData: g.certificate}})
}

// Kubeconfig writes one for clients that keep all in it.
func Kubeconfig(t testing.TB, config *rest.Config) []byte {
	t.Helper()
	text, err := clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: config.BearerToken, ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.wait(r)
	g.mu.Lock()
	severed, last := g.severed, false
	g.asked[r.Method+" "+resourceOf(r)]++
	if !severed && writes(r) {
		g.writes++
		g.note(r)
		g.left--
		last = g.left == 0
	}
	g.mu.Unlock()
	if severed {
		panic(http.ErrAbortHandler)
	}
	r.Header.Del("Authorization") // the gate has its own
	if r.URL.Path == "/api/v1/secrets" {
		r.URL.Path = "/api/v1/namespaces/" + g.namespace + "/secrets"
	}
	if last {
		g.proxy.ServeHTTP(httptest.NewRecorder(), r)
		g.Sever()
		panic(http.ErrAbortHandler)
	}
	g.proxy.ServeHTTP(w, r)
}

// writes says whether a request writes something: some ping, and some look for drift by writing
// what would be written, without doing so.
func writes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.URL.Query().Get("dryRun") == ""
}

var parts = regexp.MustCompile(`^/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/[^/]+)?/([a-z]+)(/.*)?$`)

// resourceOf is what a request asks for.
func resourceOf(r *http.Request) string {
	found, words := parts.FindStringSubmatch(r.URL.Path), ""
	switch {
	case found == nil:
		return r.URL.Path
	case r.URL.Query().Get("watch") != "":
		words = " watch"
	case found[2] == "":
		words = " list"
	}
	return found[1] + words
}

// Requests counts by method and resource.
func (g *Gate) Requests() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.asked)
}

func (g *Gate) wait(r *http.Request) {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held == nil {
		return
	}
	select {
	case <-held:
	case <-r.Context().Done():
	}
}

var record = regexp.MustCompile(`/secrets(?:/sh\.helm\.release\.v1\.(.+)\.v\d+)?$`)

// note keeps in the journal what happens to records of releases.
func (g *Gate) note(r *http.Request) {
	found := record.FindStringSubmatch(r.URL.Path)
	switch {
	case found == nil && r.URL.Query().Get("fieldManager") == "portico-reload" && strings.Contains(bodyOf(r), `"template"`):
		g.restarts[r.URL.Path]++
	case found == nil:
	case r.Method == http.MethodDelete:
		g.journal = append(g.journal, "remove "+found[1])
	case r.Method == http.MethodPost:
		g.journal = append(g.journal, "make "+nameIn(r))
	}
}

var named = regexp.MustCompile(`sh\.helm\.release\.v1\.([a-z0-9-]+)\.v\d+`)

// nameIn finds the name of a release in the body of a request, in whatever form it is.
func nameIn(r *http.Request) string {
	if found := named.FindStringSubmatch(bodyOf(r)); found != nil {
		return found[1]
	}
	return "a Secret"
}

// bodyOf reads the body of a request, and leaves it there.
func bodyOf(r *http.Request) string {
	body, _ := io.ReadAll(r.Body) // a body that broke off is passed on as far as it came
	r.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}

// Sever implements enginetest.Target.
func (g *Gate) Sever() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.severed = true
	_ = g.server.Close() // nothing is to be saved
}

// SeverAfter implements enginetest.Target.
func (g *Gate) SeverAfter(writes int) {
	if writes == 0 {
		g.Sever()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = writes
}

// Hold implements enginetest.Target.
func (g *Gate) Hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = make(chan struct{})
}

// Mend implements enginetest.Target.
func (g *Gate) Mend() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.severed {
		g.open()
	}
	if g.held != nil {
		close(g.held)
	}
	g.held, g.left = nil, -1
}

// Writes implements enginetest.Target.
func (g *Gate) Writes() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.writes
}

// Journal implements enginetest.Target.
func (g *Gate) Journal() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.journal)
}
