package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"portico.dev/portico/server/httpapi"
)

// remoteAPI is the HTTP API of a management plane, as the commands about telemetry and cost ask it.
type remoteAPI struct {
	http *http.Client
	base string
	// tenant is whose telemetry is asked for; empty leaves it to the API.
	tenant string
}

// apiFlags are the values of the flags by which the HTTP API is found.
type apiFlags struct {
	*session
	url, tenant string
}

// apiFlags gives a noun the flags that say which HTTP API is meant.
func (s *session) apiFlags(c *cobra.Command) *apiFlags {
	f := &apiFlags{session: s}
	s.fleetFlags(c)
	c.PersistentFlags().StringVar(&f.url, "api", "", "URL of the HTTP API (default: that of the plane, eight ports after its API server)")
	return f
}

// tenantFlag gives a noun the flag that says whose telemetry is meant.
func (f *apiFlags) tenantFlag(c *cobra.Command) {
	c.PersistentFlags().StringVar(&f.tenant, "tenant", "", "whose telemetry; needed by those who see several tenants")
}

// reach returns the API, with the credentials of the kubeconfig.
func (f *apiFlags) reach(ctx context.Context) (*remoteAPI, error) {
	if f.dialAPI != nil {
		return &remoteAPI{f.dialAPI(), "https://portico.test", f.tenant}, nil
	}
	config, err := f.restConfig(ctx)
	if err != nil {
		return nil, err
	}
	base := f.url
	if base == "" {
		if base, err = f.besides(config); err != nil {
			return nil, err
		}
	}
	config.UserAgent = "portico"
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the HTTP API: %w", err)
	}
	return &remoteAPI{client, strings.TrimRight(base, "/"), f.tenant}, nil
}

// besides is the URL of the HTTP API of the plane whose API server a kubeconfig names.
func (f *apiFlags) besides(config *rest.Config) (string, error) {
	cfg, err := f.config()
	if err != nil {
		return "", err
	}
	cfg.Listen = strings.TrimPrefix(config.Host, "https://")
	if _, port, err := net.SplitHostPort(cfg.Listen); err != nil || port == "" {
		return "", fmt.Errorf("the management API server %s is not that of portico up\n  name the HTTP API: --api URL", config.Host)
	}
	return "https://" + net.JoinHostPort(cfg.Host(), fmt.Sprint(cfg.Ports().HTTP)), nil
}

// apiError is an answer that is none.
type apiError struct {
	code int
	text string
}

func (e apiError) Error() string { return e.text }

// ask sends a request, and returns the answer if it is a good one. Its caller closes the body.
func (a *remoteAPI) ask(ctx context.Context, path string, query url.Values, headers ...string) (*http.Response, error) {
	if query == nil {
		query = url.Values{}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return a.send(req, headers...)
}

func (a *remoteAPI) send(req *http.Request, headers ...string) (*http.Response, error) {
	if a.tenant != "" {
		req.Header.Set(httpapi.TenantHeader, a.tenant)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	// Ours, Prometheus' and OpenCost's words for what is wrong.
	var said struct{ Error, Message string }
	if json.Unmarshal(text, &said) != nil || said.Error+said.Message == "" {
		said.Error = strings.TrimSpace(string(text))
	}
	return nil, apiError{res.StatusCode, firstWord(said.Error, said.Message, res.Status)}
}

func firstWord(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// get reads an answer into a value.
func (a *remoteAPI) get(ctx context.Context, path string, query url.Values, into any) error {
	res, err := a.ask(ctx, path, query, "Accept", "application/json")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

// post sends a value, and reads the answer into another.
func (a *remoteAPI) post(ctx context.Context, path string, value, into any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := a.send(req, "Content-Type", "application/json")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

// warn says beside an answer what it lacks.
func (s *session) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(s.Streams.Err, "Warning: %s\n", harmless(w))
	}
}

// toldAPI says an error of the HTTP API as a sentence with the next step.
func toldAPI(doing string, err error) error {
	var (
		lost *url.Error
		said apiError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said) && said.code == http.StatusUnauthorized:
		return fmt.Errorf("%s: %s\n  use the kubeconfig of somebody whom the plane knows: --kubeconfig FILE", doing, said.text)
	case errors.As(err, &said):
		return fmt.Errorf("%s: %s", doing, said.text)
	case errors.As(err, &lost) && !errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: the HTTP API at %s does not answer: %w\n  see how the plane stands: portico status; or name the API: --api URL", doing, hostOf(lost.URL), lost.Err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// onTerminal says whether a person looks at what is written.
func onTerminal(w io.Writer) bool {
	f, is := w.(interface{ Stat() (os.FileInfo, error) })
	if !is {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
