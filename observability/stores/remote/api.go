package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Config is where a store is, and as whom it is asked.
type Config struct {
	// Read is the address under which /api/v1/query is: http://127.0.0.1:8428, or
	// https://vmauth.example.net/vm/select/0/prometheus.
	Read string
	// Write is the whole address of remote write.
	Write string
	// User and Password are sent where User is not empty.
	User, Password string
	// Client makes the calls; http.DefaultClient where it is nil.
	Client *http.Client
}

// Check says what is wrong with the configuration, of kind fleet.ErrInvalid.
func (c Config) Check() error {
	for _, field := range []struct{ name, value string }{{"read", c.Read}, {"write", c.Write}} {
		u, err := url.Parse(field.value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%w: the %s address %q of a store is not one: expected http://host/path or https://host/path", fleet.ErrInvalid, field.name, field.value)
		}
	}
	return nil
}

// API is a client of the HTTP API of one store. Its methods are safe for concurrent use.
type API struct {
	config Config
	// where is the address of reading as messages have it: without a password.
	where string
}

// New returns a client. It does not connect. The error is of kind fleet.ErrInvalid.
func New(c Config) (*API, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Client == nil {
		c.Client = http.DefaultClient
	}
	c.Read = strings.TrimSuffix(c.Read, "/")
	where, err := url.Parse(c.Read)
	if err != nil {
		return nil, err
	}
	return &API{config: c, where: where.Redacted()}, nil
}

// Query evaluates the text of an expression on the grid. More is sent with it as parameters.
func (a *API) Query(ctx context.Context, text string, on store.Range, at store.Limits, more url.Values) (store.Answer, error) {
	form := with(more, "query", text)
	path := "/api/v1/query"
	if on.Step > 0 {
		path = "/api/v1/query_range"
		form.Set("start", Time(on.Start))
		form.Set("end", Time(on.End))
		form.Set("step", strconv.FormatFloat(on.Step.Seconds(), 'f', -1, 64))
	} else {
		form.Set("time", Time(on.Start))
	}
	got, err := a.ask(ctx, call{path: path, form: form, at: at, data: (*decoder).result})
	got.answer.Warnings = got.warnings
	return got.answer, err
}

// Series returns the label sets of the series that match.
func (a *API) Series(ctx context.Context, selectors [][]*labels.Matcher, on store.Range, at store.Limits, more url.Values) ([]labels.Labels, error) {
	form := ranged(more, selectors, on)
	if at.Series > 0 {
		// One more than allowed, so that an answer that is cut short is known as one.
		form.Set("limit", strconv.Itoa(at.Series+1))
	}
	got, err := a.ask(ctx, call{path: "/api/v1/series", form: form, at: at, data: (*decoder).labelSets})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(got.sets, labels.Compare)
	return slices.CompactFunc(got.sets, labels.Equal), nil
}

// LabelNames returns the names of the labels of the series that match.
func (a *API) LabelNames(ctx context.Context, selectors [][]*labels.Matcher, on store.Range, more url.Values) ([]string, error) {
	return a.words(ctx, "/api/v1/labels", ranged(more, selectors, on))
}

// LabelValues returns the values of a label of the series that match.
func (a *API) LabelValues(ctx context.Context, name string, selectors [][]*labels.Matcher, on store.Range, more url.Values) ([]string, error) {
	if name == "" {
		return nil, fmt.Errorf("%w: the name of a label is empty", fleet.ErrInvalid)
	}
	// Values are asked for with GET alone, which every server serves.
	path := "/api/v1/label/" + url.PathEscape(name) + "/values?" + ranged(more, selectors, on).Encode()
	return a.words(ctx, path, nil)
}

func (a *API) words(ctx context.Context, path string, form url.Values) ([]string, error) {
	got, err := a.ask(ctx, call{path: path, form: form, data: (*decoder).listed})
	if err != nil {
		return nil, err
	}
	slices.Sort(got.strings)
	return slices.Compact(got.strings), nil
}

// call is one question to the API: a GET where it has no form.
type call struct {
	path string
	form url.Values
	at   store.Limits
	data func(*decoder) error
}

func (a *API) ask(ctx context.Context, c call) (reply, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if c.form != nil {
		method, body = http.MethodPost, strings.NewReader(c.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, a.config.Read+c.path, body)
	if err != nil {
		return reply{}, err
	}
	if c.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := a.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	d := newDecoder(resp.Body, c.at)
	got, err := d.envelope(func() error { return c.data(d) })
	switch {
	case errors.Is(err, store.ErrTooMuch):
		return reply{}, err
	case err != nil && ctx.Err() != nil:
		return reply{}, ctx.Err()
	case err != nil:
		return reply{}, fmt.Errorf("reading the answer of %s: it is not what Prometheus' API answers: %w", a.where, err)
	case got.status != "success":
		return reply{}, fmt.Errorf("asking %s: %s", a.where, got.message)
	}
	return got, nil
}

// Do sends a request, and returns the answer if its status is one of success. The caller closes
// its body.
func (a *API) Do(req *http.Request) (*http.Response, error) {
	if a.config.User != "" {
		req.SetBasicAuth(a.config.User, a.config.Password)
	}
	resp, err := a.config.Client.Do(req)
	if err != nil {
		return nil, withoutPassword(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// At returns an address below that of reading.
func (a *API) At(path string) string { return a.config.Read + path }

// withoutPassword keeps the query, which may be long, and the password of an address out of messages.
func withoutPassword(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	if u, parseErr := url.Parse(failed.URL); parseErr == nil {
		u.RawQuery = ""
		return fmt.Errorf("asking %s: %w", u.Redacted(), failed.Err)
	}
	return failed.Err
}

// said is how much of what a server says about an error is kept.
const said = 2 << 10

// refusal turns a status into an error. Its kind comes from the status alone.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, said)) // what can be read of an explanation is better than none
	d := newDecoder(strings.NewReader(string(text)), store.Limits{})
	message := strings.TrimSpace(string(text))
	if got, err := d.envelope(d.skip); err == nil && got.message != "" {
		message = got.message
	}
	from := *resp.Request.URL
	from.RawQuery = ""
	err := fmt.Errorf("%s answers %s", from.Redacted(), resp.Status)
	if message != "" {
		err = fmt.Errorf("%w: %s", err, message)
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	case http.StatusInsufficientStorage:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// Time is a time as the API reads it: in seconds.
func Time(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// Selector is the text of a selector.
func Selector(matchers []*labels.Matcher) string {
	return (&parser.VectorSelector{LabelMatchers: matchers}).String()
}

func ranged(more url.Values, selectors [][]*labels.Matcher, on store.Range) url.Values {
	form := with(more, "start", Time(on.Start))
	form.Set("end", Time(on.End))
	for _, s := range selectors {
		form.Add("match[]", Selector(s))
	}
	return form
}

func with(more url.Values, name, value string) url.Values {
	form := url.Values{}
	for k, v := range more {
		form[k] = slices.Clone(v)
	}
	form.Set(name, value)
	return form
}
