package serve

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portico.dev/portico/store/tables"
)

// jaegerAnswer is what every answer of Jaeger's query API looks like.
type jaegerAnswer struct {
	Data   any           `json:"data"`
	Total  int           `json:"total"`
	Limit  int           `json:"limit"`
	Offset int           `json:"offset"`
	Errors []jaegerError `json:"errors"`
}

type jaegerError struct {
	Code    int    `json:"code"`
	Message string `json:"msg"`
}

const (
	defaultTraces = 20
	maxTraces     = 1500
	maxLookback   = 100 * 365 * 24 * time.Hour
)

func replyList[T any](w http.ResponseWriter, list []T) {
	if list == nil {
		list = []T{}
	}
	reply(w, http.StatusOK, jaegerAnswer{Data: list, Total: len(list)})
}

// read asks the tables and returns what they answer.
func read[T any](ctx context.Context, h *Handler, ask func(*tables.Tables) (T, error)) (T, error) {
	var found T
	err := h.keeper.Read(ctx, func(t *tables.Tables) error {
		var err error
		found, err = ask(t)
		return err
	})
	return found, err
}

func (h *Handler) services(ctx context.Context, w http.ResponseWriter, q question) error {
	list, err := read(ctx, h, func(t *tables.Tables) ([]string, error) { return t.Services(ctx, q.in) })
	if err != nil {
		return err
	}
	replyList(w, list)
	return nil
}

func (h *Handler) operationNames(ctx context.Context, w http.ResponseWriter, q question) error {
	list, err := read(ctx, h, func(t *tables.Tables) ([]tables.Operation, error) {
		return t.Operations(ctx, q.in, q.r.PathValue("service"))
	})
	if err != nil {
		return err
	}
	var names []string
	for _, o := range list {
		if len(names) == 0 || names[len(names)-1] != o.Name {
			names = append(names, o.Name)
		}
	}
	replyList(w, names)
	return nil
}

type jaegerOperation struct {
	Name string `json:"name"`
	Kind string `json:"spanKind"`
}

func (h *Handler) operations(ctx context.Context, w http.ResponseWriter, q question) error {
	service := q.args.Get("service")
	if service == "" {
		return fmt.Errorf("%w: expected the argument service", errArgument)
	}
	list, err := read(ctx, h, func(t *tables.Tables) ([]tables.Operation, error) { return t.Operations(ctx, q.in, service) })
	if err != nil {
		return err
	}
	var found []jaegerOperation
	kind := q.args.Get("spanKind")
	for _, o := range list {
		if kind == "" || kind == kinds[o.Kind] {
			found = append(found, jaegerOperation{o.Name, kinds[o.Kind]})
		}
	}
	replyList(w, found)
	return nil
}

// dependencies are not computed.
func (h *Handler) dependencies(_ context.Context, w http.ResponseWriter, _ question) error {
	replyList(w, []string{})
	return nil
}

func (h *Handler) searchTraces(ctx context.Context, w http.ResponseWriter, q question) error {
	if ids := q.args["traceID"]; len(ids) > 0 {
		return h.tracesByID(ctx, w, q, ids)
	}
	s, err := parseTraceSearch(q.args, h.clock())
	if err != nil {
		return err
	}
	s.In = q.in
	found, err := read(ctx, h, func(t *tables.Tables) ([]tables.Trace, error) { return t.SearchTraces(ctx, s) })
	if err != nil {
		return err
	}
	replyTraces(w, found)
	return nil
}

func (h *Handler) tracesByID(ctx context.Context, w http.ResponseWriter, q question, ids []string) error {
	if len(ids) > maxTraces {
		return fmt.Errorf("%w: %d traces: expected at most %d", errArgument, len(ids), maxTraces)
	}
	var found []tables.Trace
	for _, text := range ids {
		trace, err := h.oneTrace(ctx, q.in, text)
		if err != nil && !errors.Is(err, tables.ErrNotFound) {
			return err
		}
		if err == nil {
			found = append(found, trace)
		}
	}
	replyTraces(w, found)
	return nil
}

func (h *Handler) trace(ctx context.Context, w http.ResponseWriter, q question) error {
	trace, err := h.oneTrace(ctx, q.in, q.r.PathValue("id"))
	if errors.Is(err, tables.ErrNotFound) {
		reply(w, http.StatusNotFound, jaegerAnswer{Errors: []jaegerError{{http.StatusNotFound, "trace not found"}}})
		return nil
	}
	if err != nil {
		return err
	}
	replyTraces(w, []tables.Trace{trace})
	return nil
}

func (h *Handler) oneTrace(ctx context.Context, in tables.Scope, text string) (tables.Trace, error) {
	id, err := parseTraceID(text)
	if err != nil {
		return tables.Trace{}, err
	}
	return read(ctx, h, func(t *tables.Tables) (tables.Trace, error) { return t.Trace(ctx, in, id) })
}

// parseTraceID returns the bytes of an id, which Jaeger writes without zeros at its beginning.
func parseTraceID(text string) (string, error) {
	if len(text) == 0 || len(text) > 32 {
		return "", fmt.Errorf("%w: trace id %q: expected at most 32 hexadecimal digits", errArgument, text)
	}
	id, err := hex.DecodeString(strings.Repeat("0", 32-len(text)) + text)
	if err != nil {
		return "", fmt.Errorf("%w: trace id %q: expected at most 32 hexadecimal digits", errArgument, text)
	}
	return string(id), nil
}

// parseTraceSearch reads the arguments of Jaeger's search: times in microseconds, durations as Go
// writes them, tags as an object of JSON or as name:value.
func parseTraceSearch(args url.Values, now time.Time) (tables.SpanSearch, error) {
	s := tables.SpanSearch{Service: args.Get("service"), Operation: args.Get("operation")}
	if s.Operation == "all" {
		s.Operation = ""
	}
	var err error
	if s.End, err = parseMicros(args, "end", now); err != nil {
		return s, err
	}
	lookback := defaultRange
	if text := args.Get("lookback"); text != "" && text != "custom" {
		if lookback, err = parseLookback(text); err != nil {
			return s, err
		}
	}
	if s.Start, err = parseMicros(args, "start", time.Unix(0, s.End).Add(-lookback)); err != nil {
		return s, err
	}
	// Jaeger's end counts.
	s.End++
	if s.Least, err = parseDuration(args, "minDuration"); err != nil {
		return s, err
	}
	if s.Most, err = parseDuration(args, "maxDuration"); err != nil {
		return s, err
	}
	if s.Limit, err = parseNumber(args, "limit", defaultTraces, maxTraces); err != nil {
		return s, err
	}
	return s, parseTags(args, &s)
}

func parseMicros(args url.Values, name string, absent time.Time) (int64, error) {
	text := args.Get(name)
	if text == "" {
		return absent.UnixNano(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 9e15 {
		return 0, fmt.Errorf("%w: %s=%q: expected microseconds since 1970", errArgument, name, text)
	}
	return n * 1000, nil
}

func parseLookback(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n >= 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxLookback {
		return 0, fmt.Errorf("%w: lookback=%q: expected a duration such as 1h or 2d", errArgument, text)
	}
	return d, nil
}

func parseDuration(args url.Values, name string) (time.Duration, error) {
	text := args.Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%w: %s=%q: expected a duration such as 100ms", errArgument, name, text)
	}
	return d, nil
}

func parseTags(args url.Values, s *tables.SpanSearch) error {
	tags := map[string]string{}
	for _, text := range args["tags"] {
		if err := json.Unmarshal([]byte(text), &tags); err != nil {
			return fmt.Errorf("%w: tags: expected an object of JSON with texts: %w", errArgument, err)
		}
	}
	for _, text := range args["tag"] {
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return fmt.Errorf("%w: tag=%q: expected name:value", errArgument, text)
		}
		tags[name] = value
	}
	if len(tags) > tables.MaxMatchers {
		return fmt.Errorf("%w: %d tags: expected at most %d", errArgument, len(tags), tables.MaxMatchers)
	}
	for name, value := range tags {
		if name == "error" && value == "true" {
			s.Failed = true
			continue
		}
		m, err := tables.NewMatcher(strings.ToValidUTF8(name, "�"), tables.Equal, strings.ToValidUTF8(value, "�"))
		if err != nil {
			return fmt.Errorf("%w: tag %s: %w", errArgument, name, err)
		}
		s.Labels = append(s.Labels, m)
	}
	return nil
}
