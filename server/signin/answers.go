package signin

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"portico.dev/portico/fleet"
)

// Paths of the door.
const (
	LinkPath     = "/signin/link"
	OIDCPath     = "/signin/oidc"
	CallbackPath = "/signin/oidc/callback"
	OutPath      = "/signout"
)

// Follow answers a one-time link with a session. What does not come from the user himself does not
// use the link up.
func (d *Door) Follow(w http.ResponseWriter, r *http.Request) {
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case r.Method != http.MethodGet || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch"):
		say(w, http.StatusMethodNotAllowed, "Open the link in a browser.") // a program shows a preview of it
		return
	case site != "" && site != "none" && site != "same-origin":
		// Somebody could have our user work in a session that is not his own.
		say(w, http.StatusForbidden, "Another page leads here. If the link is yours, copy it into the address bar.")
		return
	case !d.parts.LinksAnywhere && !d.local(r):
		say(w, http.StatusForbidden, "This link works on the plane's own machine alone. Open it there, or through a tunnel such as ssh -L 7451:127.0.0.1:7451, or set http.links to Anywhere.")
		return
	}
	who, ok := d.parts.Links.Take(r.URL.Query().Get("token"))
	if !ok {
		say(w, http.StatusUnauthorized, "This link was used already, or is too old, or the plane was started again. Make a new one: portico link create")
		return
	}
	d.enter(w, r, who)
}

// Start sends a browser to the OpenID Connect issuer.
func (d *Door) Start(w http.ResponseWriter, r *http.Request) {
	if d.parts.OIDC == nil {
		say(w, http.StatusNotFound, "No OpenID Connect issuer is configured. Sign in with a link: portico link create")
		return
	}
	if err := d.parts.OIDC.start(w, r); err != nil {
		d.failed(r.Context(), w, err)
	}
}

// Callback answers a browser that comes back from the issuer.
func (d *Door) Callback(w http.ResponseWriter, r *http.Request) {
	if d.parts.OIDC == nil {
		d.Start(w, r)
		return
	}
	who, err := d.parts.OIDC.finish(w, r)
	if err != nil {
		d.failed(r.Context(), w, err)
		return
	}
	d.enter(w, r, who)
}

// failed says why nobody signed in at the issuer. What is not the user's or the issuer's word is about
// the way to the issuer, and the other ways in are as they were.
func (d *Door) failed(ctx context.Context, w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, fleet.ErrInvalid):
		say(w, http.StatusUnauthorized, "The sign-in did not succeed: "+fleet.Sentence(err))
	case ctx.Err() == nil:
		say(w, http.StatusBadGateway, "The sign-in did not succeed: "+err.Error()+". Try again, or sign in with a link: portico link create")
	}
}

// enter begins a session. It answers with a page and not with a redirect: a browser that comes from
// another site would follow that without the cookie, which is for our own site alone.
func (d *Door) enter(w http.ResponseWriter, r *http.Request, who Identity) {
	secret, expires, err := d.parts.Sessions.Issue(who)
	if err != nil {
		say(w, http.StatusInternalServerError, err.Error())
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: Cookie, Value: secret, Path: "/", Expires: expires, MaxAge: int(expires.Sub(d.parts.Clock()).Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	})
	until := expires.UTC().Format(time.RFC3339)
	switch {
	case d.parts.Home != "":
		w.Header().Set("Refresh", "0; url="+d.parts.Home)
		say(w, http.StatusOK, "Signed in as "+who.Name+" until "+until+".")
	case wantsPage(r):
		show(w, screen{Title: "Signed in as " + who.Name, Until: until})
	default:
		say(w, http.StatusOK, "Signed in as "+who.Name+" until "+until+". What there is: /openapi.json; what you may see: /api/v1/me; sign out: POST "+OutPath+" with the header "+Header+": 1")
	}
}

// Leave ends the session of a request.
func (d *Door) Leave(w http.ResponseWriter, r *http.Request) {
	if err := d.own(r); err != nil {
		say(w, http.StatusForbidden, err.Error())
		return
	}
	if cookie, err := r.Cookie(Cookie); err == nil {
		d.parts.Sessions.Take(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: Cookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode})
	if wantsPage(r) {
		show(w, screen{Title: "Signed out"})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// wantsPage says whether a person looks at the answer.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// screen is what somebody sees in a browser who has signed in or out.
type screen struct {
	Title string
	// Until is when the session ends; empty where there is none.
	Until string
}

var screenOf = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Portico: {{.Title}}</title></head>
<body>
<h1>{{.Title}}</h1>
{{if .Until}}<p>The session ends at {{.Until}}, when you sign out, or when the plane is started again.</p>
<ul>
<li><a href="/api/v1/me">What you may see</a></li>
<li><a href="/api/v1/fleet">Your clusters</a></li>
<li><a href="/openapi.json">What else there is to ask</a>, in OpenAPI</li>
</ul>
<form method="post" action="` + OutPath + `"><button>Sign out</button></form>
{{end}}</body>
</html>
`))

func show(w http.ResponseWriter, what screen) {
	private(w, "text/html; charset=utf-8", http.StatusOK)
	_ = screenOf.Execute(w, what) // who hung up does not want it any more
}

// say answers a browser in a sentence.
func say(w http.ResponseWriter, code int, sentence string) {
	private(w, "text/plain; charset=utf-8", code)
	fmt.Fprintln(w, sentence)
}

// private begins an answer of which nothing is kept or told to others: the address may hold a secret.
func private(w http.ResponseWriter, media string, code int) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(code)
}
