package alertmanager

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// Client asks an Alertmanager. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the Alertmanager at that address, such as http://127.0.0.1:9093.
func New(base string, by *http.Client) *Client {
	return &Client{base: strings.TrimRight(base, "/"), http: by}
}

// Alerts are the alerts of a scope, silenced ones included, sorted by name, then by labels.
func (c *Client) Alerts(ctx context.Context, in store.Scope) ([]Alert, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	var all []Alert
	if err := c.ask(ctx, request{method: http.MethodGet, path: "/api/v2/alerts", query: filter(in), into: &all}); err != nil {
		return nil, fmt.Errorf("listing alerts: %w", err)
	}
	// The filter saves work; this decides.
	all = slices.DeleteFunc(all, func(a Alert) bool { return !sees(in, a.Labels) })
	slices.SortFunc(all, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.Labels["alertname"], b.Labels["alertname"]), cmp.Compare(a.Labels["cluster"], b.Labels["cluster"]), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return all, nil
}

// Silences are the silences of a scope, expired ones included, the latest to end first.
func (c *Client) Silences(ctx context.Context, in store.Scope) ([]Silence, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	var all []Silence
	if err := c.ask(ctx, request{method: http.MethodGet, path: "/api/v2/silences", into: &all}); err != nil {
		return nil, fmt.Errorf("listing silences: %w", err)
	}
	all = slices.DeleteFunc(all, func(s Silence) bool { return !owns(in, s) })
	slices.SortFunc(all, func(a, b Silence) int { return cmp.Or(b.EndsAt.Compare(a.EndsAt), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Silence creates a silence, or changes the one with its ID, and returns the ID. In the scope of a
// tenant it hides that tenant's alerts alone. What cannot be is refused by an error of kind
// fleet.ErrInvalid.
func (c *Client) Silence(ctx context.Context, in store.Scope, s Silence) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	s, err := bind(in, s)
	if err != nil {
		return "", err
	}
	if s.ID != "" {
		if _, err := c.owned(ctx, in, s.ID); err != nil {
			return "", err
		}
	}
	s.Status = nil
	var created struct{ SilenceID string }
	if err := c.ask(ctx, request{method: http.MethodPost, path: "/api/v2/silences", body: s, into: &created}); err != nil {
		return "", fmt.Errorf("creating a silence: %w", err)
	}
	return created.SilenceID, nil
}

// Expire ends a silence of the scope. It returns fleet.ErrNotYet for one that the scope has not.
func (c *Client) Expire(ctx context.Context, in store.Scope, id string) error {
	s, err := c.owned(ctx, in, id)
	if err != nil || s.Status != nil && s.Status.State == "expired" {
		return err
	}
	if err := c.ask(ctx, request{method: http.MethodDelete, path: "/api/v2/silence/" + url.PathEscape(id)}); err != nil {
		return fmt.Errorf("expiring silence %s: %w", id, err)
	}
	return nil
}

// Reload has Alertmanager read its configuration. It returns fleet.ErrInvalid, with Alertmanager's
// own words, if it does not take it and goes on with the one before.
func (c *Client) Reload(ctx context.Context) error {
	err := c.ask(ctx, request{method: http.MethodPost, path: "/-/reload"})
	if refused, ok := err.(answered); ok && refused.status == http.StatusInternalServerError {
		return fmt.Errorf("%w: Alertmanager does not take its configuration: %s", fleet.ErrInvalid, refused.said)
	}
	if err != nil {
		return fmt.Errorf("having Alertmanager read its configuration: %w", err)
	}
	return nil
}

// owned is the silence with that id. One of another tenant is as if it were not there.
func (c *Client) owned(ctx context.Context, in store.Scope, id string) (Silence, error) {
	if err := in.Check(); err != nil {
		return Silence{}, err
	}
	missing := fmt.Errorf("%w: there is no silence %q", fleet.ErrNotYet, id)
	if strings.Trim(id, "0123456789abcdef-") != "" || id == "" {
		return Silence{}, missing
	}
	var s Silence
	err := c.ask(ctx, request{method: http.MethodGet, path: "/api/v2/silence/" + id, into: &s})
	if a, ok := err.(answered); ok && (a.status == http.StatusNotFound || a.status == http.StatusUnprocessableEntity) {
		return Silence{}, missing
	}
	if err != nil {
		return Silence{}, fmt.Errorf("reading silence %s: %w", id, err)
	}
	if !owns(in, s) {
		return Silence{}, missing
	}
	return s, nil
}

func filter(in store.Scope) url.Values {
	if in.All() {
		return nil
	}
	return url.Values{"filter": {store.TenantLabel + "=" + strconv.Quote(string(in.Tenant()))}}
}

type request struct {
	method, path string
	query        url.Values
	body, into   any
}

// answered is an answer that is no success.
type answered struct {
	status int
	said   string
}

func (a answered) Error() string {
	return fmt.Sprintf("Alertmanager answered %d: %s", a.status, a.said)
}

// Unwrap makes a refusal of what was sent a matter of its author.
func (a answered) Unwrap() error {
	if a.status == http.StatusBadRequest || a.status == http.StatusUnprocessableEntity {
		return fleet.ErrInvalid
	}
	return nil
}

func (c *Client) ask(ctx context.Context, r request) error {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	at := c.base + r.path
	if len(r.query) > 0 {
		at += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, at, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return answered{resp.StatusCode, strings.TrimSpace(string(text[:min(len(text), 500)]))}
	}
	if r.into == nil {
		return nil
	}
	if err := json.Unmarshal(text, r.into); err != nil {
		return fmt.Errorf("reading Alertmanager's answer: %w", err)
	}
	return nil
}
