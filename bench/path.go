package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	stores "portico.dev/portico/app/telemetry"
	"portico.dev/portico/internal/e2e"
)

const (
	leastPath = 0.8
	// A round is a sample of every series: fifty metrics of a hundred pods. Ten of them go the way each second.
	metricNames, pods = 50, 100
	sampleCount       = metricNames * pods
	perSecond         = 10
	scrape            = 15 * time.Second
	// settle is how long a store has to bring to disk what it was sent.
	settle = 8 * time.Second
)

// path sends the same samples twice at the same speed: to a VictoriaMetrics by remote write, and to a collector
// by OTLP, from where they go through vmauth as a tenant's and through portico-store to another VictoriaMetrics. "Per core" is
// samples by the processor time (user and system) of all programs on the way, from the first sample until they are
// on disk; that of the sender is not counted.
func path(ctx context.Context, b *bench) error {
	rounds := 60 * perSecond
	if b.quick {
		rounds = 12 * perSecond
	}
	direct, err := b.onStage(ctx, "direct", rounds, []string{stores.Metrics}, (*stage).writeDirectly)
	if err != nil {
		return err
	}
	way := []string{stores.Metrics, stores.Records, stores.Door, stores.Collector}
	whole, err := b.onStage(ctx, "path", rounds, way, (*stage).writeToCollector)
	if err != nil {
		return err
	}
	millions := float64(rounds*sampleCount) / 1e6
	remark("VictoriaMetrics fed directly: processor time of a million samples", direct[stores.Metrics].took/millions, "s")
	remark("  the most memory (RSS)", direct[stores.Metrics].memory, "MiB")
	sum, ratio := 0.0, map[string]float64{}
	for _, name := range way {
		sum += whole[name].took
		ratio[name] = direct[stores.Metrics].took / sum
		remark("  through the whole path: "+name+", processor time of a million samples", whole[name].took/millions, "s")
		remark("  the most memory of "+name+" (RSS)", whole[name].memory, "MiB")
		remark("  its memory at the end, without files that it has mapped", whole[name].own, "MiB")
	}
	remark("samples per core, VictoriaMetrics with portico-store before it, in parts of VictoriaMetrics fed directly", ratio[stores.Records], "")
	atLeast("  with vmauth as well", leastPath, ratio[stores.Door], "")
	atLeast("  with the collector as well: the whole path", leastPath, ratio[stores.Collector], "")
	return nil
}

// cost is what a program has taken.
type cost struct{ took, memory, own float64 }

// onStage runs programs on a stage of their own, sends the rounds, and returns what each has taken.
func (b *bench) onStage(ctx context.Context, name string, rounds int, programs []string, send func(*stage, context.Context, round) error) (map[string]cost, error) {
	bin, err := e2e.Built()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, name)
	s, err := newStage(string(bin), dir, filepath.Join(dir, "none.log"))
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.start(ctx, programs...); err != nil {
		return nil, err
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	before := map[string]float64{}
	for _, p := range programs {
		if before[p], err = s.took(p); err != nil {
			return nil, err
		}
	}
	if err := s.sendAll(ctx, rounds, send); err != nil {
		return nil, err
	}
	out := map[string]cost{}
	for _, p := range programs {
		took, err := s.took(p)
		if err != nil {
			return nil, err
		}
		memory, err := s.most(p)
		if err != nil {
			return nil, err
		}
		own, err := s.own(p)
		if err != nil {
			return nil, err
		}
		out[p] = cost{took - before[p], memory, own}
	}
	return out, s.checkAll(ctx, rounds)
}

// sendAll sends the rounds at their speed, and waits until they are on disk.
func (s *stage) sendAll(ctx context.Context, rounds int, send func(*stage, context.Context, round) error) error {
	first := time.Now().Add(-time.Duration(rounds+10) * scrape).Truncate(time.Second)
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for n := range rounds {
		if err := send(s, ctx, round{number: n, at: first.Add(time.Duration(n) * scrape), pods: pods}); err != nil {
			return fmt.Errorf("sending round %d: %w", n, err)
		}
		<-tick.C
	}
	for deadline := time.Now().Add(2 * time.Minute); ctx.Err() == nil; time.Sleep(time.Second) {
		got, err := s.figureOf(ctx, s.site.MetricsURL()+"/metrics", "vm_rows_added_to_storage_total")
		if err == nil && got >= float64(rounds*sampleCount) {
			return pause(ctx, settle)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("VictoriaMetrics has %.0f of %d samples, and no more come (%v)", got, rounds*sampleCount, err)
		}
	}
	return ctx.Err()
}

// checkAll counts what has arrived, under its labels.
func (s *stage) checkAll(ctx context.Context, rounds int) error {
	got, err := s.ask(ctx, `sum(count_over_time({__name__=~"bench_value_.*",tenant="bench",cluster="bench",namespace="team",job="kubelet"}[4h]))`)
	if err == nil && got != float64(rounds*sampleCount) {
		err = fmt.Errorf("VictoriaMetrics has %.0f samples with the labels that they were sent with, want %d", got, rounds*sampleCount)
	}
	return err
}

// round is a sample of each series at one time.
type round struct {
	number, pods int
	at           time.Time
}

// value is that of a counter of a pod.
func (r round) value(metric, pod int) float64 {
	return float64((metric*pods+pod)*1000 + r.number*(metric+1) + (r.number*7919+pod*31)%97)
}

func labels(pod int) [][2]string {
	return [][2]string{
		{"container", "main"}, {"instance", fmt.Sprintf("10.0.0.%d:10250", pod%8)}, {"job", "kubelet"}, {"namespace", "team"},
		{"node", fmt.Sprintf("node-%d", pod%8)}, {"pod", fmt.Sprintf("service-%d-7d4b9c6f5-x%dq", pod, pod)},
	}
}

// writeDirectly writes a round by remote write, with all labels that the other way adds.
func (s *stage) writeDirectly(ctx context.Context, r round) error {
	var request prompb.WriteRequest
	for metric := range metricNames {
		for pod := range r.pods {
			series := prompb.TimeSeries{
				Labels:  []prompb.Label{{Name: "__name__", Value: fmt.Sprintf("bench_value_%d", metric)}, {Name: "cluster", Value: sender}},
				Samples: []prompb.Sample{{Timestamp: r.at.UnixMilli(), Value: r.value(metric, pod)}},
			}
			for _, l := range labels(pod) {
				series.Labels = append(series.Labels, prompb.Label{Name: l[0], Value: l[1]})
			}
			series.Labels = append(series.Labels, prompb.Label{Name: "tenant", Value: sender})
			request.Timeseries = append(request.Timeseries, series)
		}
	}
	body, err := request.Marshal()
	if err != nil {
		return err
	}
	_, err = s.do(ctx, http.MethodPost, s.site.MetricsURL()+"/api/v1/write", http.Header{
		"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"snappy"}, "X-Prometheus-Remote-Write-Version": {"0.1.0"},
	}, snappy.Encode(nil, body))
	return err
}

// writeToCollector gives a round to the collector. What that refuses for want of memory is offered again, as a
// sender of OTLP does.
func (s *stage) writeToCollector(ctx context.Context, r round) error {
	m := pmetric.NewMetrics()
	scope := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	for metric := range metricNames {
		of := scope.Metrics().AppendEmpty()
		of.SetName(fmt.Sprintf("bench_value_%d", metric))
		points := of.SetEmptyGauge().DataPoints()
		for pod := range r.pods {
			point := points.AppendEmpty()
			point.SetTimestamp(pcommon.NewTimestampFromTime(r.at))
			point.SetDoubleValue(r.value(metric, pod))
			for _, l := range labels(pod) {
				point.Attributes().PutStr(l[0], l[1])
			}
		}
	}
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	if err != nil {
		return err
	}
	to, header := fmt.Sprintf("http://127.0.0.1:%d/v1/metrics", s.facts.Ports.HTTP), http.Header{"Content-Type": {"application/x-protobuf"}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err = s.do(ctx, http.MethodPost, to, header, body); err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
	}
}
