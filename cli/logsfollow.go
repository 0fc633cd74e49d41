package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"portico.dev/portico/observability/query"
	"portico.dev/portico/server/httpapi"
)

// longestEvent bounds an event of a stream: a record with a long line, and attributes that are long too.
const longestEvent = 64 << 20

// followLogs shows records as they come, until the context ends.
func (s *session) followLogs(ctx context.Context, api *remoteAPI, q logQuestion, out output) error {
	res, err := api.ask(ctx, "/api/v1/logs/stream", q.query(q.since), "Accept", "text/event-stream")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	err = eachEvent(res.Body, func(kind string, data []byte) error { return s.showTold(kind, data, out) })
	if ctx.Err() != nil {
		return nil // it was stopped, which is how it ends
	}
	if err == nil {
		err = errors.New("the stream broke off\n  see how the plane stands: portico status; and follow again")
	}
	return err
}

// showTold shows what a stream says.
func (s *session) showTold(kind string, data []byte, out output) error {
	var told struct {
		httpapi.Skipped
		httpapi.Back
		httpapi.Warning
		Missing query.Missing `json:"-"`
		Why     string
	}
	switch kind {
	case "record":
		var r httpapi.LogRecord
		if err := json.Unmarshal(data, &r); err != nil {
			return fmt.Errorf("reading a record: %w", err)
		}
		return s.showLogs([]httpapi.LogRecord{r}, out)
	case "missing":
		if err := json.Unmarshal(data, &told.Missing); err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		text := fmt.Sprintf("region %s is not followed: %s", told.Missing.Region, told.Missing.Why)
		if told.Missing.Next != "" {
			text += "; " + told.Missing.Next
		}
		s.warn([]string{text})
		return nil
	}
	if err := json.Unmarshal(data, &told); err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	switch kind {
	case "skipped":
		s.warn([]string{fmt.Sprintf("%d records came faster than they could be shown, and are left out; search them: portico logs --since 1m", told.Records)})
	case "back":
		s.warn([]string{fmt.Sprintf("region %s is followed again; what came meanwhile is found by portico logs", told.Region)})
	case "warning":
		s.warn([]string{told.Warning.Warning})
	case "end":
		return errors.New(told.Why)
	}
	return nil
}

// eachEvent reads server-sent events, until they end.
func eachEvent(from io.Reader, do func(kind string, data []byte) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, longestEvent)
	kind := ""
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(line, "event: "); ok {
			kind = text
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			if err := do(kind, []byte(text)); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}
