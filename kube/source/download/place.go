package download

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Place is where content is, and by whose leave it is read. Places that are equal are asked once.
type Place struct {
	URL string
	// Secret names the Secret that Credentials come from; the zero value is none.
	Secret types.NamespacedName
	// Trusted says that somebody of the platform has named the place: it may be on the plane's own
	// machine.
	Trusted bool
}

// Wish is a place that somebody wants the content of.
type Wish struct {
	Place
	Credentials Credentials
	// Interval is how often the place is asked; zero is fleet.UsualInterval.
	Interval time.Duration
}

// Credentials are the content of a Secret, with the keys that Sveltos documents: "token" is sent
// as a bearer token, "username" and "password" as basic authentication, and "caFile" is the
// authority of the server's certificate, in PEM form. "ca.crt" is read like "caFile".
type Credentials map[string]string

// Copy is what is known of a place.
type Copy struct {
	// Files is the content by its names; nil while nothing was fetched. Nobody may change it.
	Files map[string]string
	// Revision is the server's own word for the content, where it has one that people read.
	Revision string
	// At is when the server said last that this is what it holds.
	At time.Time
	// Problem is why the last attempt failed, with the next step; empty if it did not. Missing says
	// that it failed since the server has nothing there.
	Problem string
	Missing bool
	// Tried says that there was an attempt.
	Tried bool
}

// id names the place in the store.
func (p Place) id() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %t", p.URL, p.Secret, p.Trusted))
	return hex.EncodeToString(sum[:16])
}

// digest tells credentials apart, in memory alone.
func (c Credentials) digest() [sha256.Size]byte {
	return sha256.Sum256(fmt.Append(nil, map[string]string(c)))
}

// word is a value without the line's end that editors put there.
func (c Credentials) word(key string) string { return strings.TrimSpace(c[key]) }

// tls is nil where the credentials say nothing about it.
func (c Credentials) tls() (*tls.Config, error) {
	for _, key := range []string{"caFile", "ca.crt"} {
		if c[key] == "" {
			continue
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(c[key])) {
			return nil, fmt.Errorf("key %s of the Secret holds no certificate in PEM form: put the authority's there", key)
		}
		return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
	}
	return nil, nil
}
