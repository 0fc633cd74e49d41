package signintest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"portico.dev/portico/fleet"
)

// Client and Secret are what the issuer knows the one program by that it serves.
const (
	Client = "portico"
	Secret = "s3cret of the client"
)

// Issuer is an OpenID Connect issuer.
type Issuer struct {
	*httptest.Server
	clock fleet.Clock
	key   *rsa.PrivateKey

	mu     sync.Mutex
	signer *rsa.PrivateKey
	claims map[string]any
	codes  map[string]url.Values
	// lenient lets a code be used again.
	lenient bool
	// form has programs prove themselves in the form, not in the header.
	form  bool
	asked int
}

// Start starts an issuer, which ends with the test.
func Start(t testing.TB, clock fleet.Clock) *Issuer {
	t.Helper()
	key := NewKey(t)
	i := &Issuer{key: key, signer: key, clock: clock, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.describe)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": b64(i.key.N.Bytes()), "e": b64(big.NewInt(int64(i.key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

// NewKey is a key that no issuer has.
func NewKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Claims are put into the ID tokens from now on, over those of Ann, who is in the group ops.
func (i *Issuer) Claims(c map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.claims = c
}

// Sign has tokens be signed by another key than the one that the issuer shows.
func (i *Issuer) Sign(by *rsa.PrivateKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.signer = by
}

// Forget has the issuer take codes again and again, which it must not.
func (i *Issuer) Forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lenient = true
}

// TakeForms has programs prove themselves in the form that they send, and not in its header.
func (i *Issuer) TakeForms() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.form = true
}

// Asked is how often the issuer was asked what it is.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Authority is the certificate by which the issuer is trusted, in PEM.
func (i *Issuer) Authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
}

// Token is an ID token as somebody has it who signed in without a browser.
func (i *Issuer) Token() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.issue("")
}

func (i *Issuer) describe(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	says := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	}
	if i.form {
		says["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	}
	reply(w, http.StatusOK, says)
}

func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != Client || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "bad request "+r.URL.RawQuery, http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code := fmt.Sprintf("code-%d", len(i.codes))
	i.codes[code] = q
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if client, secret := i.credentials(r); client != Client || secret != Secret {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "wrong secret"})
		return
	}
	code := r.FormValue("code")
	asked, known := i.codes[code]
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !known || asked == nil || b64(challenge[:]) != asked.Get("code_challenge") || r.FormValue("redirect_uri") != asked.Get("redirect_uri") {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	if !i.lenient {
		i.codes[code] = nil
	}
	reply(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": i.issue(asked.Get("nonce"))})
}

// credentials are what a program proves itself by: in the way that the issuer takes, and in no other.
func (i *Issuer) credentials(r *http.Request) (client, secret string) {
	user, password, _ := r.BasicAuth()
	if i.form {
		return r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	client, _ = url.QueryUnescape(user)
	secret, _ = url.QueryUnescape(password)
	return client, secret
}

func (i *Issuer) issue(nonce string) string {
	now := i.clock()
	claims := map[string]any{
		"iss": i.URL, "sub": "1", "aud": Client, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": "ann@example.com", "email_verified": true, "groups": []string{"ops"},
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	for k, v := range i.claims {
		claims[k] = v
	}
	return i.sign(claims)
}

func (i *Issuer) sign(claims map[string]any) string {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "kid": "one"})
	must(err)
	body, err := json.Marshal(claims)
	must(err)
	text := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.signer, crypto.SHA256, sum[:])
	must(err)
	return text + "." + b64(signature)
}

// must ends the test binary: a token that cannot be written is a mistake in its test.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who hung up does not want it any more
}
