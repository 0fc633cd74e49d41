package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Config is where a portico-store is, and as whom it is asked.
type Config struct {
	// LogsIn, LogsOut, TracesIn and TracesOut are the addresses below which /insert and /select
	// are. They are one and the same without vmauth.
	LogsIn, LogsOut, TracesIn, TracesOut string
	// User and Password are sent where User is not empty.
	User, Password string
	// Client makes the calls; http.DefaultClient where it is nil.
	Client *http.Client
}

// At is the configuration of a portico-store at one address.
func At(address string) Config {
	return Config{LogsIn: address, LogsOut: address, TracesIn: address, TracesOut: address}
}

// Store keeps logs and traces in a portico-store.
type Store struct {
	config Config
}

var (
	_ store.Logs        = (*Store)(nil)
	_ store.LogFollower = (*Store)(nil)
	_ store.Traces      = (*Store)(nil)
)

// New returns a store. It does not connect. The error is of kind fleet.ErrInvalid.
func New(c Config) (*Store, error) {
	for _, field := range []struct {
		name  string
		value *string
	}{{"logsIn", &c.LogsIn}, {"logsOut", &c.LogsOut}, {"tracesIn", &c.TracesIn}, {"tracesOut", &c.TracesOut}} {
		u, err := url.Parse(*field.value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%w: the %s address %q of a store is not one: expected http://host/path or https://host/path", fleet.ErrInvalid, field.name, *field.value)
		}
		*field.value = strings.TrimSuffix(*field.value, "/")
	}
	if c.Client == nil {
		c.Client = http.DefaultClient
	}
	return &Store{config: c}, nil
}

// tenantHeader says whose data a request is about; everybody stands there for all.
const (
	tenantHeader = "X-Portico-Tenant"
	everybody    = "*"
)

func scopeHeader(in store.Scope) string {
	if in.All() {
		return everybody
	}
	return string(in.Tenant())
}

// insert sends what OTLP calls a request.
func (s *Store) insert(ctx context.Context, address string, of store.Tenant, body []byte) error {
	if t, err := store.ParseTenant(string(of)); err != nil || t != of {
		return fmt.Errorf("%w: a write needs the name of a tenant, and has %q", fleet.ErrInvalid, of)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set(tenantHeader, string(of))
	resp, err := s.do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// get asks for something in a scope. The caller closes the body of the answer.
func (s *Store) get(ctx context.Context, in store.Scope, address string, args url.Values) (*http.Response, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+args.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(tenantHeader, scopeHeader(in))
	return s.do(req)
}

func (s *Store) do(req *http.Request) (*http.Response, error) {
	if s.config.User != "" {
		req.SetBasicAuth(s.config.User, s.config.Password)
	}
	resp, err := s.config.Client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			// The address holds what was searched for.
			err = failed.Err
		}
		return nil, fmt.Errorf("asking %s: %w", withoutQuery(req.URL), err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

func withoutQuery(u *url.URL) string {
	bare := *u
	bare.RawQuery = ""
	return bare.Redacted()
}

// said is how much of what a store says about an error is kept.
const said = 2 << 10

// refusal turns a status into an error. Its kind comes from the status alone.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, said)) // what can be read of an explanation is better than none
	var failure struct {
		Error string `json:"error"`
	}
	message := strings.TrimSpace(string(text))
	if json.Unmarshal(text, &failure) == nil && failure.Error != "" {
		message = failure.Error
	}
	err := fmt.Errorf("%s answers %s", withoutQuery(resp.Request.URL), resp.Status)
	if message != "" {
		err = fmt.Errorf("%w: %s", err, message)
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	case http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %w", store.ErrTooMuch, err)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", fleet.ErrNotYet, err)
	case http.StatusInsufficientStorage:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}
