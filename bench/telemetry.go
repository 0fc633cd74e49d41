package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/internal/e2e"
)

const (
	mostLogging   = 5   // seconds
	mostCollector = 120 // MiB
	loggers       = 10
)

// telemetryPrograms keep what clusters say.
var telemetryPrograms = []string{"victoria-metrics", "portico-store", "vmauth", "vmalert", "alertmanager"}

// telemetry has a cluster send what it says, and measures how soon that can be read, and what it takes.
func telemetry(ctx context.Context, b *bench) error {
	if _, err := b.up(ctx); err != nil {
		return err
	}
	c := e2e.Cluster{Name: "talker", Workers: 1, Real: true, Message: "hello"}
	object := c.Object()
	object.Labels = map[string]string{kof.ClusterRoleLabel: kof.ChildRole}
	began := time.Now()
	if err := e2e.Apply(ctx, b.kube, object); err != nil {
		return err
	}
	if _, err := e2e.AwaitReady(ctx, b.kube, c.Key()); err != nil {
		return err
	}
	remark("a cluster with the label of a child, until it is Ready with collectors", since(began), "s")
	if _, err := b.found(ctx, "metrics", "query", "k8s_pod_phase", "-o", "json"); err != nil {
		return err
	}
	remark("  until its pods are among the metrics", since(began), "s")
	_, child, err := e2e.Child(ctx, b.kube, c.Key())
	if err != nil {
		return err
	}
	var took []float64
	for n := range loggers {
		seconds, err := b.logged(ctx, child, fmt.Sprintf("logger-%d", n))
		if err != nil {
			return err
		}
		took = append(took, seconds)
	}
	figure(fmt.Sprintf("a pod has begun to log, until portico logs shows it (the longest of %d)", loggers), mostLogging, slices.Max(took), "s")
	remark("  the same, median", median(took), "s")
	if err := collecting(ctx); err != nil {
		return err
	}
	if err := b.sent(ctx); err != nil {
		return err
	}
	for _, name := range telemetryPrograms {
		memory, _, err := b.memory(ctx, named(name))
		if err != nil {
			return err
		}
		remark("memory of "+name+" (RSS)", memory, "MiB")
	}
	return nil
}

// logged runs a pod that logs as it starts, and returns the seconds from its start until that is found.
func (b *bench) logged(ctx context.Context, child client.WithWatch, name string) (float64, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: e2e.PodinfoImage + ":6.9.2", Command: []string{"./podinfo", "--port=9898"}}}},
	}
	if err := child.Create(ctx, pod); err != nil {
		return 0, err
	}
	_, err := e2e.Await(ctx, child, pod, func(p *corev1.Pod) string {
		if len(p.Status.ContainerStatuses) == 0 || p.Status.ContainerStatuses[0].State.Running == nil {
			return "its container does not run"
		}
		return ""
	})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = b.found(ctx, "logs", "talker", "--pod", name, "-o", "json")
	return since(began), err
}

// found asks until there is an answer with something in it.
func (b *bench) found(ctx context.Context, args ...string) (string, error) {
	var last e2e.Result
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var err error
		if last, err = b.Portico(ctx, args...); err != nil {
			return "", err
		}
		if last.Code == 0 && strings.Contains(last.Out, "cluster") {
			return last.Out, nil
		}
	}
	return "", fmt.Errorf("portico %s finds nothing: exit status %d, %s%s", strings.Join(args, " "), last.Code, last.Out, last.Talk)
}

// collecting says what collectors take while nothing happens.
func collecting(ctx context.Context) error {
	before, err := programs("portico-collector")
	if err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Minute); err != nil {
		return err
	}
	after, err := programs("portico-collector")
	if err != nil {
		return err
	}
	for pid, now := range after {
		what := "memory of the collector of " + now.serves + " (RSS)"
		if now.serves == ofNode {
			figure(what, mostCollector, now.memory, "MiB")
		} else {
			remark(what, now.memory, "MiB")
		}
		remark("  its processor time, of a core", 100*(now.took-before[pid].took)/120, "%")
	}
	return nil
}

// sent says how much the cluster sends: what a bigger one sends can be reckoned from it.
func (b *bench) sent(ctx context.Context) error {
	for _, q := range []struct{ what, expr string }{
		{"nodes of the cluster", `count(count by (k8s_node_name) (k8s_node_condition_ready{cluster="talker"}))`},
		{"pods", `count(count by (k8s_namespace_name, k8s_pod_name) (k8s_pod_phase{cluster="talker"}))`},
		{"series", `count({cluster="talker",__name__!=""})`},
		{"samples a minute", `sum(count_over_time({cluster="talker",__name__!=""}[1m]))`},
	} {
		answer, err := b.Portico(ctx, "metrics", "query", q.expr, "-o", "json")
		if err != nil {
			return err
		}
		// Prometheus' answer: the value is a pair of the time and a text.
		var found struct{ Result []struct{ Value [2]any } }
		if err := json.Unmarshal([]byte(answer.Out), &found); err != nil || len(found.Result) != 1 {
			return fmt.Errorf("portico metrics query %s: expected one value: exit status %d, %s%s", q.expr, answer.Code, answer.Out, answer.Talk)
		}
		n, err := strconv.ParseFloat(fmt.Sprint(found.Result[0].Value[1]), 64)
		if err != nil {
			return fmt.Errorf("portico metrics query %s: %w", q.expr, err)
		}
		remark("  "+q.what, n, "")
	}
	return nil
}

// Whom a collector serves.
const (
	ofNode    = "a node"
	ofCluster = "the cluster"
	ofPlane   = "the plane"
)

// program is one that runs: whom it serves, its resident memory in MiB, and the seconds of processor time that it took.
type program struct {
	serves       string
	memory, took float64
}

// programs are all collectors that run, by their pid. The kernel cuts names at fifteen letters.
func programs(name string) (map[int]program, error) {
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil, err
	}
	out := map[int]program{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(text), "Name:\t"+name[:15]) {
			continue // it has ended, or is another one
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		_, rest, _ := strings.Cut(string(text), "VmRSS:")
		kib, err := strconv.ParseFloat(strings.Fields(rest + " none")[0], 64)
		if err != nil {
			return nil, fmt.Errorf("reading the memory of %s: %w", name, err)
		}
		took, err := processorTime(pid)
		if err != nil {
			return nil, err
		}
		out[pid] = program{serves: served(pid), memory: kib / 1024, took: took}
	}
	if len(out) == 0 {
		return nil, errors.New("measuring memory: no collector runs")
	}
	return out, nil
}

// served tells a collector by where it runs: that of a node sees the node's files.
func served(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(line), "file:/conf/") {
		return ofPlane
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "root", "hostfs")); err == nil {
		return ofNode
	}
	return ofCluster
}
