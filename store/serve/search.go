package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portico.dev/portico/store/tables"
	"portico.dev/portico/store/wire"
)

var errArgument = errors.New("invalid argument")

const (
	defaultRange   = time.Hour
	defaultRecords = 1000
	maxFormBytes   = 1 << 20
	maxTexts       = 32
)

// question is a search with its arguments, and whose data it sees.
type question struct {
	r    *http.Request
	args url.Values
	in   tables.Scope
}

// answerer answers a question. An error is answered by who calls it, where nothing was answered yet.
type answerer func(ctx context.Context, w http.ResponseWriter, q question) error

func (h *Handler) search(answer answerer) action {
	return func(w http.ResponseWriter, r *http.Request, user User) {
		h.metrics.searches.Add(1)
		ctx, cancel := context.WithTimeout(r.Context(), h.cfg.SearchTime)
		defer cancel()
		select {
		case h.searches <- struct{}{}:
			defer func() { <-h.searches }()
		case <-ctx.Done():
			fail(w, http.StatusServiceUnavailable, errors.New("too many searches at a time"))
			return
		}
		// Who reads slowly, or not at all, does not keep the place of others for ever. A connection that
		// cannot have a deadline has none.
		_ = http.NewResponseController(w).SetWriteDeadline(h.clock().Add(2 * h.cfg.SearchTime))
		q, err := ask(w, r, user)
		if err == nil {
			err = answer(ctx, w, q)
		}
		if err != nil {
			h.metrics.failed.Add(1)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				err = fmt.Errorf("%w: it takes longer than %s: ask for less time, or for more labels", tables.ErrTooMuch, h.cfg.SearchTime)
			}
			fail(w, h.status(err), err)
		}
	}
}

// ask reads what stands in the query and in the form.
func ask(w http.ResponseWriter, r *http.Request, user User) (question, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		return question{}, fmt.Errorf("%w: reading the arguments: %w", errArgument, err)
	}
	in, err := readScope(r, user)
	if err != nil {
		return question{}, err
	}
	return question{r: r, args: r.Form, in: in}, nil
}

// searchLogs streams the records that match.
func (h *Handler) searchLogs(ctx context.Context, w http.ResponseWriter, q question) error {
	s, err := parseSearch(q.args, h.clock(), h.cfg.Records)
	if err != nil {
		return err
	}
	s.In = q.in
	return h.keeper.Read(ctx, func(t *tables.Tables) error {
		out := newLines(w)
		for record, err := range t.SearchLogs(ctx, s) {
			if err != nil {
				return out.fail(err)
			}
			if err := out.write(wire.Line{Record: &record}); err != nil {
				// Nobody reads any more.
				return nil
			}
		}
		return out.end(s.Limit)
	})
}

// lines writes an answer line by line.
type lines struct {
	w       http.ResponseWriter
	buffer  *bufio.Writer
	encoder *json.Encoder
	records int
}

func newLines(w http.ResponseWriter) *lines {
	buffer := bufio.NewWriterSize(w, 64<<10)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	return &lines{w: w, buffer: buffer, encoder: encoder}
}

func (l *lines) write(line wire.Line) error {
	if l.records == 0 {
		l.w.Header().Set("Content-Type", wire.ContentType)
	}
	l.records++
	return l.encoder.Encode(line)
}

// fail ends an answer that has begun; one that has not is left to who answers errors.
func (l *lines) fail(err error) error {
	if l.records == 0 {
		return err
	}
	_ = l.write(wire.Line{Error: err.Error()})
	_ = l.buffer.Flush()
	return nil
}

func (l *lines) end(limit int) error {
	n := l.records
	_ = l.write(wire.Line{End: &wire.End{Records: n, Limited: n >= limit}})
	_ = l.buffer.Flush()
	return nil
}

// parseSearch reads the arguments of a search of logs; see package wire.
func parseSearch(args url.Values, now time.Time, most int) (tables.LogSearch, error) {
	s := tables.LogSearch{Text: args["text"], Order: tables.Newest}
	var err error
	if s.Start, s.End, err = parseRange(args, now); err != nil {
		return s, err
	}
	if s.Labels, err = parseLabels(args["label"]); err != nil {
		return s, err
	}
	if len(s.Text) > maxTexts {
		return s, fmt.Errorf("%w: %d texts: expected at most %d", errArgument, len(s.Text), maxTexts)
	}
	for i, text := range s.Text {
		s.Text[i] = strings.ToValidUTF8(text, "�")
	}
	if s.Severity, err = parseNumber(args, "severity", 0, 24); err != nil {
		return s, err
	}
	if s.Limit, err = parseNumber(args, "limit", min(defaultRecords, most), most); err != nil {
		return s, err
	}
	switch order := args.Get("order"); order {
	case "", string(tables.Newest):
	case string(tables.Oldest):
		s.Order = tables.Oldest
	default:
		return s, fmt.Errorf("%w: order=%q: expected newest or oldest", errArgument, order)
	}
	return s, nil
}

func parseNumber(args url.Values, name string, absent, most int) (int, error) {
	value := args.Get(name)
	if value == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%w: %s=%q: expected a number between 0 and %d", errArgument, name, value, most)
	}
	if n == 0 {
		return absent, nil
	}
	return n, nil
}

func parseRange(args url.Values, now time.Time) (start, end int64, err error) {
	if end, err = parseTime("end", args.Get("end"), now); err != nil {
		return 0, 0, err
	}
	if start, err = parseTime("start", args.Get("start"), time.Unix(0, end).Add(-defaultRange)); err != nil {
		return 0, 0, err
	}
	if start > end {
		return 0, 0, fmt.Errorf("%w: start is after end", errArgument)
	}
	return start, end, nil
}

// parseTime reads RFC 3339, or nanoseconds since 1970.
func parseTime(name, value string, absent time.Time) (int64, error) {
	if value == "" {
		return absent.UnixNano(), nil
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return n, nil
	}
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || at.Year() < 1700 || at.Year() > 2260 {
		return 0, fmt.Errorf("%w: %s=%q: expected a time of RFC 3339, or nanoseconds since 1970", errArgument, name, value)
	}
	return at.UnixNano(), nil
}

func parseLabels(values []string) ([]tables.Matcher, error) {
	if len(values) > tables.MaxMatchers {
		return nil, fmt.Errorf("%w: %d labels: expected at most %d", errArgument, len(values), tables.MaxMatchers)
	}
	var matchers []tables.Matcher
	for _, value := range values {
		m, err := parseLabel(value)
		if err != nil {
			return nil, fmt.Errorf("%w: label=%q: %w", errArgument, value, err)
		}
		matchers = append(matchers, m)
	}
	return matchers, nil
}

// parseLabel reads name=value, name!=value, name=~regex or name!~regex.
func parseLabel(text string) (tables.Matcher, error) {
	at := strings.IndexAny(text, "=!")
	if at < 1 {
		return tables.Matcher{}, errors.New("expected name=value, name!=value, name=~regex or name!~regex")
	}
	name, rest := strings.TrimSpace(text[:at]), text[at:]
	for _, op := range []tables.Op{tables.Like, tables.NotLike, tables.NotEqual, tables.Equal} {
		if value, ok := strings.CutPrefix(rest, string(op)); ok {
			return tables.NewMatcher(strings.ToValidUTF8(name, "�"), op, strings.ToValidUTF8(value, "�"))
		}
	}
	return tables.Matcher{}, errors.New("expected =, !=, =~ or !~ after the name")
}

// names answers with the names of attributes.
func (h *Handler) names(ctx context.Context, w http.ResponseWriter, q question) error {
	start, end, err := parseRange(q.args, h.clock())
	if err != nil {
		return err
	}
	var found []string
	err = h.keeper.Read(ctx, func(t *tables.Tables) error {
		found, err = t.Names(ctx, q.in, start, end)
		return err
	})
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, wire.Names{Names: found})
	return nil
}
