package processrunner_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"portico.dev/portico/api/config/controlplane"
	"portico.dev/portico/pki"
)

// asStub makes this test binary a program that behaves like portico-kube towards the Runner.
const asStub = "PORTICO_TEST_AS_STUB"

func TestMain(m *testing.M) {
	if os.Getenv(asStub) == "" {
		os.Exit(m.Run())
	}
	code, words := stub(os.Args)
	fmt.Println("I1125 12:00:00.000000 1 a line with the time of day")
	if words != "" {
		fmt.Println("portico-kube controlplane: " + words)
	}
	os.Exit(code)
}

// What the stub does beyond answering, told by files.
const (
	ends    = "given/ends"    // it ends at once, with these words
	refuses = "given/refuses" // a check finds these words against the configuration
	fails   = "given/fails"   // a check cannot be made, for these words
	old     = "given/old"     // it does not know how to check
	closed  = "given/closed"  // only the administrator may ask whether it is ready
)

func stub(args []string) (code int, words string) {
	file := args[slices.Index(args, "--config")+1]
	dir := filepath.Dir(file)
	told := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name)) // absent: not told
		return string(text)
	}
	if slices.Contains(args, "--check") {
		switch {
		case told(old) != "":
			return 2, "unknown flag"
		case told(refuses) != "":
			return 3, dir + "/" + told(refuses)
		case told(fails) != "":
			return 1, told(fails)
		}
		return 0, ""
	}
	if told(ends) != "" {
		return 1, told(ends)
	}
	if err := serve(file, told(closed) != ""); err != nil {
		return 1, err.Error()
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	select {
	case <-end:
	case <-time.After(2 * time.Minute): // nobody may outlive a test that was killed for long
	}
	return 0, ""
}

// serve answers /readyz as an API server does, with certificates made on the spot.
func serve(file string, onlyAdministrator bool) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	cfg, err := controlplane.Decode(text)
	if err != nil {
		return err
	}
	ca, err := authorityIn(cfg.Dir)
	if err != nil {
		return err
	}
	server, err := ca.Issue(pki.Leaf{CommonName: "server", Names: []string{cfg.BindAddress}, Usage: pki.Server, Validity: time.Hour}, time.Now())
	if err != nil {
		return err
	}
	admin, err := ca.Issue(pki.Leaf{CommonName: "admin", Usage: pki.Client, Validity: time.Hour}, time.Now())
	if err != nil {
		return err
	}
	if err := pki.WriteFile(filepath.Join(cfg.Dir, "pki", "admin.pem"), admin.Bundle()); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(server.Certificate, server.Key)
	if err != nil {
		return err
	}
	users := x509.NewCertPool()
	users.AppendCertsFromPEM(ca.CertificatePEM())
	listener, err := tls.Listen("tcp", net.JoinHostPort(cfg.BindAddress, strconv.Itoa(int(cfg.Port))), &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: users,
	})
	if err != nil {
		return err
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if onlyAdministrator && len(req.TLS.PeerCertificates) == 0 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	return nil
}

func authorityIn(dir string) (*pki.Authority, error) {
	certificate, err := os.ReadFile(filepath.Join(dir, "pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, "pki", "ca.key"))
	if err != nil {
		return nil, err
	}
	return pki.ParseAuthority(pki.Pair{Certificate: certificate, Key: key})
}
