package e2e_test

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/observability/dashboard"
)

// quiet are queries that find nothing on a plane that is well, though what they read is there: by
// dashboard, panel and, where it is about one of several, legend.
var quiet = map[string]string{
	"portico-fleet/Firing":                                 "no alert fires",
	"portico-services/Not deployed, by cluster":            "all services are deployed",
	"portico-services/Not deployed":                        "all services are deployed",
	"portico-services/Changed by others":                   "nobody changed anything",
	"portico-workload/Restarts in an hour":                 "nothing restarted",
	"portico-workload/Pods by phase/{{cluster}} pending":   "every pod runs",
	"portico-workload/Pods by phase/{{cluster}} succeeded": "there is no job",
	"portico-workload/Pods by phase/{{cluster}} failed":    "no pod failed",
	"portico-workload/Pods by phase/{{cluster}} unknown":   "every node answers",
}

// absent are queries of what nobody writes on this plane. Collectors have no counter of what has not
// happened yet; its name is that of what has, with another word for what became of it.
var absent = map[string]string{
	"portico-workload/StatefulSets":      "there is none",
	"portico-workload/Volumes in use":    "no pod has a claim",
	"portico-pipeline/Lost":              "every queue had room",
	"portico-pipeline/Refused by stores": "the stores took everything",
}

// talks runs what dashboards look for and the demo has not: a container with a limit, whose requests are
// traced.
func (s *stage) talks(c e2e.Cluster) {
	s.t.Helper()
	child := s.child(c.Key())
	var running corev1.PodList
	s.must(child.kube.List(s.limited(), &running, client.InNamespace("podinfo")))
	if len(running.Items) == 0 {
		s.t.Fatal("podinfo has no pod")
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "podinfo", Name: "tracer"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "tracer", Image: running.Items[0].Spec.Containers[0].Image, Args: []string{"--port=9898", "--otel-service-name=tracer"},
		Env: []corev1.EnvVar{
			{Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.hostIP"}}},
			{Name: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Value: "http://$(NODE):4317"},
		},
		Resources:     corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
		LivenessProbe: &corev1.Probe{PeriodSeconds: 2, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(9898)}}},
	}}}}
	s.must(child.kube.Create(s.limited(), pod))
}

// asked is a query of a dashboard.
type asked struct{ place, expr string }

func dashboardQueries() []asked {
	var out []asked
	for _, d := range dashboard.All() {
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				for _, q := range p.Queries {
					expr := strings.ReplaceAll(q.Expr, "$__rate_interval", "2m")
					for _, v := range d.Variables {
						expr = strings.ReplaceAll(expr, "$"+v.Name, ".*")
					}
					place := d.UID + "/" + p.Title
					if len(p.Queries) > 1 {
						place += "/" + q.Legend
					}
					out = append(out, asked{place, expr})
				}
			}
		}
	}
	return out
}

// excused says why a query may find nothing; by the panel, or by the one query of it.
func excused(list map[string]string, place string) string {
	if why, is := list[place]; is {
		return why
	}
	panel, _, _ := strings.Cut(place, "/{{")
	return list[panel]
}

// dashboards asks what the dashboards ask, until each query has an answer. The names and labels that they
// use are there: a query that finds nothing needs a reason, and what it reads has to be there all the same.
func (s *stage) dashboards() {
	s.t.Helper()
	budget := &costv1.Budget{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "fleet"}}
	budget.Spec.Monthly.Digits = "1200"
	s.apply(budget)
	open := dashboardQueries()
	if len(open) < 60 {
		s.t.Fatalf("%d queries: the test looks at the wrong place", len(open))
	}
	var left []asked
	// Costs are computed every few minutes, and recorded after that.
	for deadline := time.Now().Add(3 * within); time.Now().Before(deadline); time.Sleep(5 * time.Second) {
		left = left[:0]
		for _, q := range open {
			if excused(absent, q.place) == "" && !s.finds(q) {
				left = append(left, q)
			}
		}
		if open = slices.Clone(left); len(left) == 0 {
			return
		}
	}
	for _, q := range left {
		s.t.Errorf("%s shows nothing: %s", q.place, q.expr)
	}
}

// finds says whether a query finds something, or may find nothing.
func (s *stage) finds(q asked) bool {
	s.t.Helper()
	if s.answers(q.expr) {
		return true
	}
	if excused(quiet, q.place) == "" {
		return false
	}
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(q.expr)
	s.must(err)
	there := true
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if v, is := n.(*parser.VectorSelector); is {
			there = there && s.answers(bare(v))
		}
		return nil
	})
	return there
}

// bare is a selector of the same series whatever their labels say, that have the labels which it asks for.
func bare(v *parser.VectorSelector) string {
	var out []string
	for _, m := range v.LabelMatchers {
		switch {
		case m.Name == model.MetricNameLabel:
			out = append(out, m.String())
		case !m.Matches(""):
			out = append(out, labels.MustNewMatcher(labels.MatchNotEqual, m.Name, "").String())
		}
	}
	return "{" + strings.Join(out, ",") + "}"
}

func (s *stage) answers(expr string) bool {
	s.t.Helper()
	res := s.portico("metrics", "query", expr, "-o", "json")
	if res.Code != 0 {
		s.t.Errorf("portico metrics query %s: exit status %d, %s", expr, res.Code, res.Talk)
		return true
	}
	return says(res.Out)
}

// variables asks for the choices at the heads of the dashboards: one without choices shows nothing.
func (s *stage) variables() {
	s.t.Helper()
	form := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, d := range dashboard.All() {
		for _, v := range d.Variables {
			parts := form.FindStringSubmatch(v.Query)
			if parts == nil {
				s.t.Errorf("%s: the choice of %s is %q, which is not label_values(series, label)", d.UID, v.Name, v.Query)
				continue
			}
			expr := parts[1]
			for _, other := range d.Variables {
				expr = strings.ReplaceAll(expr, "$"+other.Name, ".*")
			}
			if !s.answers("group by (" + parts[2] + ") (" + expr + ") unless on (" + parts[2] + ") vector(1)") {
				s.t.Errorf("%s: there is nothing to choose for %s: %s", d.UID, v.Name, v.Query)
			}
		}
	}
}
