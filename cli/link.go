package cli

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico.dev/portico/server/httpapi"
)

// link is a one-time link, as it is shown.
type link struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
	// Fingerprint is the SHA-256 of the server's certificate, as browsers show it.
	Fingerprint string `json:"fingerprint,omitempty"`
}

func linkCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "link", Short: "Sign in to the HTTP API with a browser", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(linkCreateCommand(s.apiFlags(c)))
	return c
}

func linkCreateCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "create", Short: "Make a link that signs you in, once",
		Long: `Make a link that begins a session as the user of the kubeconfig, by default the administrator of the plane. It works once, for ten minutes, and
on the plane's own machine unless http.links of the configuration says Anywhere. Whoever has it is let in: do not write it down.`,
		Example: `  portico link create
  portico link create --kubeconfig ann.yaml -o json`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		made, err := api.link(c.Context())
		if err != nil {
			return toldAPI("making a link", err)
		}
		if *out != outTable {
			return out.print(at.Streams.Out, shown{value: made, names: []string{made.URL}})
		}
		fmt.Fprintf(at.Streams.Err, "It signs in once, until %s.\n%s", made.Expires.Format(time.RFC3339), made.warning())
		_, err = fmt.Fprintln(at.Streams.Out, made.URL)
		return err
	}
	return c
}

// link makes a link that signs in as whom the API is asked by.
func (a *remoteAPI) link(ctx context.Context) (link, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/api/v1/links", nil)
	if err != nil {
		return link{}, err
	}
	res, err := a.send(req, "Accept", "application/json")
	if err != nil {
		return link{}, err
	}
	defer res.Body.Close()
	var made httpapi.Link
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil {
		return link{}, fmt.Errorf("reading the answer: %w", err)
	}
	l := link{URL: a.base + made.Path, Expires: made.Expires.UTC().Truncate(time.Second)}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		l.Fingerprint = fingerprint(res.TLS.PeerCertificates[0].Raw)
	}
	return l, nil
}

// warning is what to know about the browser's own warning.
func (l link) warning() string {
	if l.Fingerprint == "" {
		return ""
	}
	return "The browser does not know the plane's certificate. Its SHA-256 fingerprint:\n  " + l.Fingerprint + "\n"
}

// fingerprint is the SHA-256 of a certificate, as browsers write it.
func fingerprint(certificate []byte) string {
	sum := sha256.Sum256(certificate)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// invite shows a link to the person who has started the plane. What else reads the output may keep it,
// and gets none.
func (s *session) invite(ctx context.Context, talk io.Writer) {
	if !onTerminal(talk) {
		fmt.Fprintln(talk, "Sign in with a browser: portico link create")
		return
	}
	api, err := (&apiFlags{session: s}).reach(ctx)
	if err == nil {
		var made link
		if made, err = api.link(ctx); err == nil {
			left := made.Expires.Sub(s.Now()).Round(time.Minute)
			fmt.Fprintf(talk, "Sign in with a browser, once and within %d minutes: %s\n%s", int(left.Minutes()), made.URL, made.warning())
			return
		}
	}
	// The plane is ready all the same.
	fmt.Fprintf(talk, "There is no link to sign in with: %v\n  make one: portico link create\n", toldAPI("making a link", err))
}
