package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	promlabels "github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
)

const (
	manyRegions  = 20
	mostOfSlow   = 1.5
	regionSeries = 200
	// near and far are how long the network takes to a region and back; far is that of one of them.
	near = 100 * time.Millisecond
	far  = 200 * time.Millisecond
)

// asked is what all regions are asked at once.
var asked = []string{
	`sum by (job) (rate(requests_total[5m]))`, `topk(5, rate(requests_total[5m]))`, `avg(requests_total)`,
	`sum(requests_total) / count(requests_total)`, `rate(requests_total[5m])`,
}

// regions asks one expression of twenty VictoriaMetrics at once, and of the slowest of them by itself. They
// share this machine's processors, which regions do not: the network between them and us is made longer, as
// it is. What is asked without it stands beside.
func regions(ctx context.Context, b *bench) error {
	bin, err := e2e.Built()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all, bare []query.Region
	memory := 0.0
	for i := range manyRegions {
		v, err := startRegion(ctx, bin.File("libexec/victoria-metrics"), filepath.Join(b.dir, "region-"+strconv.Itoa(i)))
		if err != nil {
			return err
		}
		defer v.end()
		if err := v.fill(ctx, i); err != nil {
			return err
		}
		name := fmt.Sprintf("r%02d", i)
		away := near
		if i == 7 {
			away = far
		}
		for way, to := range map[time.Duration]*[]query.Region{0: &bare, away: &all} {
			m, err := v.store(way)
			if err != nil {
				return err
			}
			*to = append(*to, query.Region{Name: name, Metrics: m, Labels: promlabels.FromStrings("region", name)})
		}
		mine, err := rss(v.PID())
		if err != nil {
			return err
		}
		memory += mine
	}
	tries := 15
	if b.quick {
		tries = 5
	}
	for _, text := range asked {
		one, whole, err := compared(ctx, all, tries, text)
		if err != nil {
			return err
		}
		figure(text+" over 20 regions, in times of the slowest", mostOfSlow, whole/one, "")
		remark("  the slowest by itself, median", 1000*one, "ms")
		if one, whole, err = compared(ctx, bare, tries, text); err != nil {
			return err
		}
		remark("  without the network: one by itself, median", 1000*one, "ms")
		remark("  all twenty on this machine, median", 1000*whole, "ms")
	}
	remark("memory of the twenty stores (RSS)", memory, "MiB")
	return nil
}

// compared is the median time in seconds of an expression over the eighth region, and over all.
func compared(ctx context.Context, all []query.Region, tries int, text string) (one, whole float64, err error) {
	expr, err := engine.Parse(text)
	if err != nil {
		return 0, 0, err
	}
	now := time.Now().Truncate(time.Minute)
	on := store.Range{Start: now.Add(-time.Hour), End: now, Step: time.Minute}
	var took [2][]float64
	for range tries {
		for i, these := range [][]query.Region{all[7:8], all} {
			e := query.New(func() []query.Region { return these }, query.Config{}, time.Now)
			began := time.Now()
			got, err := e.Query(ctx, store.Everybody(), expr, on)
			if err != nil || got.Partial() || len(got.Series) == 0 {
				return 0, 0, fmt.Errorf("asking %s of %d regions: %w", text, len(these), errors.Join(err, fmt.Errorf("%d series, %v", len(got.Series), got.Warnings)))
			}
			took[i] = append(took[i], since(began))
		}
	}
	return median(took[0]), median(took[1]), nil
}

// region is a VictoriaMetrics of its own.
type region struct {
	*exec.Cmd
	address string
}

func (r region) PID() int { return r.Process.Pid }

func (r region) end() {
	_ = r.Process.Kill() // it may have ended by itself
	_ = r.Wait()         // killed
}

func startRegion(ctx context.Context, program, dir string) (region, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return region{}, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return region{}, err
	}
	r := region{exec.CommandContext(ctx, program, "-httpListenAddr="+address, "-storageDataPath="+dir, "-retentionPeriod=1y", "-memory.allowedBytes=32MB", "-search.latencyOffset=0s"), "http://" + address}
	r.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.Start(); err != nil {
		return region{}, fmt.Errorf("starting a region's store: %w", err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(r.address + "/health"); err == nil {
			resp.Body.Close()
			return r, nil
		}
	}
	r.end()
	return region{}, errors.New("a region's store does not serve after 30 seconds")
}

// fill writes an hour of series, others in each region.
func (r region) fill(ctx context.Context, number int) error {
	m, err := r.store(0)
	if err != nil {
		return err
	}
	now := time.Now().Truncate(15 * time.Second)
	var all []store.Series
	for s := range regionSeries {
		one := store.Series{Labels: promlabels.FromStrings("__name__", "requests_total", "job", fmt.Sprint("j", s%10), "pod", fmt.Sprint("p", s))}
		for n := range 270 {
			one.Samples = append(one.Samples, store.Sample{At: now.Add(time.Duration(n-269) * 15 * time.Second).UnixMilli(), Value: float64(n*(s+1)) + float64(number)/7})
		}
		all = append(all, one)
	}
	if err := m.Write(ctx, store.Platform, all); err != nil {
		return err
	}
	resp, err := http.Get(r.address + "/internal/force_flush")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// store asks the region over a network that takes so long there and back.
func (r region) store(away time.Duration) (*victoria.Store, error) {
	return victoria.New(remote.Config{Read: r.address, Write: r.address + "/api/v1/write", Client: &http.Client{Transport: distant{away}}})
}

// distant is a network that takes its time.
type distant struct{ away time.Duration }

func (d distant) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(d.away):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// rss is the resident memory of a process in MiB.
func rss(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(rest + " none")[0], 64)
	return kib / 1024, err
}
