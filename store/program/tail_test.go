package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico.dev/portico/store/wire"
)

// tail follows, and returns a function that waits for the next line with something in it.
func tail(t *testing.T, p *process, tenant string, args url.Values) func() wire.Line {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/vls/select/portico/logs/tail?"+args.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(wire.TenantHeader, tenant)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("following: %s", answer.Status)
	}
	lines := make(chan wire.Line, 10_000)
	go func() {
		defer close(lines)
		for d := json.NewDecoder(answer.Body); ; {
			var line wire.Line
			if d.Decode(&line) != nil {
				return
			}
			lines <- line
		}
	}()
	return func() wire.Line {
		select {
		case line := <-lines:
			return line
		case <-time.After(20 * time.Second):
			t.Error("waited in vain for a line")
			return wire.Line{}
		}
	}
}

func say(t *testing.T, p *process, tenant, body string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.url+insertLogs, bytes.NewReader(oneLine(t, body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set(wire.TenantHeader, tenant)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("writing: %s", answer.Status)
	}
}

// TestTail follows as two tenants: each gets its own lines at once, and the store's end ends both.
func TestTail(t *testing.T) {
	p := launch(t, nil, "--dir="+t.TempDir())
	a, b := tail(t, p, "a", url.Values{"text": {"hello"}}), tail(t, p, "b", nil)
	if a().Begin == nil || b().Begin == nil {
		t.Fatal("who follows is not told when it begins")
	}
	say(t, p, "a", "unwanted")
	began := time.Now()
	say(t, p, "a", "hello from a")
	if line := a(); line.Record == nil || line.Record.Body != "hello from a" || line.Record.Tenant != "a" {
		t.Fatalf("tenant a got %+v", line)
	}
	t.Logf("a line was there %s after it was sent", time.Since(began).Round(time.Millisecond))
	say(t, p, "b", "hello from b")
	if line := b(); line.Record == nil || line.Record.Body != "hello from b" {
		t.Fatalf("tenant b got %+v, want its own line and no other", line)
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	for _, next := range []func() wire.Line{a, b} {
		if line := next(); !strings.Contains(line.Error, "the store ends") {
			t.Errorf("at the end there is %+v", line)
		}
	}
	_ = p.command.Wait()
	if took := time.Since(ended); took > 4*time.Second {
		t.Errorf("with followers the store took %s to end", took)
	}
}

// TestTailSlowly does not read while much is said: the writes go on, and who comes back is told how many
// lines there were that it does not get.
func TestTailSlowly(t *testing.T) {
	p := launch(t, nil, "--dir="+t.TempDir())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/select/portico/logs/tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	const lines = 400
	for i := range lines { // 80 MB, of which the network and the store hold a part
		say(t, p, "a", fmt.Sprintf("%d %s", i, strings.Repeat("x", 200<<10)))
	}
	records, skipped, last := 0, 0, -1
	for in := bufio.NewReaderSize(answer.Body, 1<<20); records+skipped < lines; {
		text, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatalf("after %d records and %d skipped: %v", records, skipped, err)
		}
		var line wire.Line
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		skipped += line.Skipped
		if line.Record != nil {
			var n int
			if _, err := fmt.Sscan(line.Record.Body, &n); err != nil || n <= last {
				t.Fatalf("record %d after %d: %v", n, last, err)
			}
			records, last = records+1, n
		}
	}
	if skipped == 0 {
		t.Errorf("all %d records came: nothing was slow", records)
	}
	t.Logf("%d records came, and %d were skipped", records, skipped)
}
