package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	stores "portico.dev/portico/app/telemetry"
	"portico.dev/portico/internal/e2e"
)

const (
	linesPerSecond = 1000
	// A round of the outage has one pod in twenty of path's: a queue of metrics holds more than ten minutes of them.
	outageShare = 20
)

// outage has a collector take samples and lines all the time, kills the stores, and has them come back after
// a while: everything is there, and no line twice.
func outage(ctx context.Context, b *bench) error {
	bin, err := e2e.Built()
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "generator.log")
	s, err := newStage(string(bin), filepath.Join(b.dir, "outage"), file)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.start(ctx, stores.Metrics, stores.Records, stores.Door, stores.Collector); err != nil {
		return err
	}
	g, err := s.generate(ctx, file)
	if err != nil {
		return err
	}
	if err := pause(ctx, 15*time.Second); err != nil {
		return err
	}
	held, err := s.interrupt(ctx, b.away)
	if err != nil {
		return err
	}
	back := time.Now()
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	sent, err := g.stop()
	if err != nil {
		return err
	}
	found, err := s.arrived(ctx, sent)
	if err != nil {
		return err
	}
	most, err := s.most(stores.Collector)
	if err != nil {
		return err
	}
	remark("the stores were away for", b.away.Seconds(), "s")
	remark("  samples that were sent", float64(sent.samples), "samples")
	remark("  lines that were written", float64(sent.lines), "lines")
	figure("  samples that are lost", 0, float64(sent.samples-found.samples), "samples")
	figure("  lines that are lost", 0, float64(sent.lines-found.lines), "lines")
	figure("  lines that are there twice", 0, float64(found.twice), "lines")
	remark("  from their return until all had arrived, ten seconds of it under load", found.at.Sub(back).Seconds(), "s")
	remark("  the most memory of the collector, with the files of its queues, which it has mapped (RSS)", most, "MiB")
	figure("  its memory at the end of the outage, without those files", mostCollector, held.memory, "MiB")
	remark("  its queues on disk at the end of the outage", held.disk, "MiB")
	return nil
}

// held is what the collector took at the end of an outage, in MiB.
type held struct{ memory, disk float64 }

// interrupt kills the stores, and starts them again after a while.
func (s *stage) interrupt(ctx context.Context, away time.Duration) (h held, err error) {
	talk("killing the stores")
	s.kill(stores.Metrics, stores.Records)
	if err := pause(ctx, away); err != nil {
		return h, err
	}
	if h.disk, err = size(s.facts.Queue.Directory); err != nil {
		return h, err
	}
	if h.memory, err = s.own(stores.Collector); err != nil {
		return h, err
	}
	return h, s.start(ctx, stores.Metrics, stores.Records)
}

// amount is what was sent, and when it began.
type amount struct {
	samples, lines int
	first, began   time.Time
}

// generator makes load until it is stopped.
type generator struct {
	end    chan struct{}
	result chan error
	sent   amount
}

// generate begins to send rounds to the collector and to write lines to the file.
func (s *stage) generate(ctx context.Context, file string) (*generator, error) {
	lines, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	g := &generator{end: make(chan struct{}), result: make(chan error, 1)}
	g.sent.began = time.Now()
	g.sent.first = g.sent.began.Truncate(time.Millisecond)
	go func() {
		defer lines.Close()
		g.result <- g.run(ctx, s, lines)
	}()
	return g, nil
}

func (g *generator) run(ctx context.Context, s *stage, lines *os.File) error {
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		r := round{number: n, at: g.sent.first.Add(time.Duration(n) * time.Second / perSecond), pods: pods / outageShare}
		if err := s.writeToCollector(ctx, r); err != nil {
			return fmt.Errorf("the collector does not take round %d: %w", n, err)
		}
		g.sent.samples += metricNames * r.pods
		var text bytes.Buffer
		for range linesPerSecond / perSecond {
			g.sent.lines++
			fmt.Fprintf(&text, "level=info msg=\"request done\" path=/api/v1/items status=200 number=%d\n", g.sent.lines)
		}
		if _, err := lines.Write(text.Bytes()); err != nil {
			return err
		}
		select {
		case <-g.end:
			return nil
		case <-tick.C:
		}
	}
}

// stop ends the load and returns what it was.
func (g *generator) stop() (amount, error) {
	close(g.end)
	err := <-g.result
	return g.sent, err
}

// arrival is what the stores have, and since when.
type arrival struct {
	samples, lines, twice int
	at                    time.Time
}

// arrived waits until all has arrived, and returns what has.
func (s *stage) arrived(ctx context.Context, sent amount) (arrival, error) {
	var found arrival
	for deadline := time.Now().Add(5 * time.Minute); ; {
		samples, err := s.ask(ctx, fmt.Sprintf(`sum(count_over_time({__name__=~"bench_value_.*",tenant="bench"}[%dms]))`, time.Since(sent.first).Milliseconds()+1000))
		if err != nil {
			return found, err
		}
		times := map[int]int{}
		if err := s.numbers(ctx, sent.began.Add(-time.Minute), time.Now().Add(time.Minute), times); err != nil {
			return found, err
		}
		found = arrival{samples: int(samples), lines: len(times), at: time.Now()}
		for _, n := range times {
			found.twice += n - 1
		}
		if found.samples >= sent.samples && found.lines >= sent.lines || time.Now().After(deadline) {
			return found, nil
		}
		talk("%d of %d samples and %d of %d lines have arrived", found.samples, sent.samples, found.lines, sent.lines)
		if err := pause(ctx, 3*time.Second); err != nil {
			return found, err
		}
	}
}

// numbers counts how often each line is there. An answer that has reached its limit is asked for in halves.
func (s *stage) numbers(ctx context.Context, from, to time.Time, times map[int]int) error {
	query := url.Values{
		"start": {strconv.FormatInt(from.UnixNano(), 10)}, "end": {strconv.FormatInt(to.UnixNano(), 10)}, "limit": {"100000"}, "label": {"service=generator"},
	}
	text, err := s.get(ctx, s.site.RecordsURL()+"/vls/select/portico/logs?"+query.Encode())
	if err != nil {
		return err
	}
	var found []int
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Record *struct{ Body string }
			End    *struct{ Limited bool }
			Error  string
		}
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("searching lines: %w", err)
		}
		if line.Error != "" {
			return fmt.Errorf("searching lines: %s", line.Error)
		}
		if line.End != nil && line.End.Limited {
			middle := from.Add(to.Sub(from) / 2)
			if err := s.numbers(ctx, from, middle, times); err != nil {
				return err
			}
			return s.numbers(ctx, middle, to, times)
		}
		if line.Record == nil {
			continue
		}
		_, number, _ := strings.Cut(line.Record.Body, "number=")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("a line that nobody wrote: %q", line.Record.Body)
		}
		found = append(found, n)
	}
	for _, n := range found {
		times[n]++
	}
	return lines.Err()
}

// size is what the files of a folder take, in MiB.
func size(dir string) (float64, error) {
	sum := int64(0)
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return float64(sum) / (1 << 20), err
}
