package lists_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	costv1 "portico.dev/portico/api/cost/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/cost/lists"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

const head = "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version\n"

// A list follows its ConfigMap: one that is not there yet, that appears, that breaks, and that is mended.
// Until the first pass nobody is told that there are no prices.
func TestListFollowsItsSource(t *testing.T) {
	api := shared.Cluster(t)
	kube := api.Client(t, clientgoscheme.AddToScheme, costv1.AddToScheme)
	home := api.Namespace(t)
	var changed atomic.Int32
	c := &lists.Controller{Home: home, Clock: time.Now, Changed: func() { changed.Add(1) }}
	if _, _, err := c.Terms(); !errors.Is(err, fleet.ErrNotYet) {
		t.Errorf("before anything was read there are terms: %v", err)
	}
	api.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		c.Kube, c.Live = mgr.GetClient(), mgr.GetAPIReader()
		return c.SetupWithManager(mgr)
	})
	l := &costv1.PriceList{ObjectMeta: metav1.ObjectMeta{Name: "table"}, Spec: costv1.PriceListSpec{
		Currency: "USD", Source: &costv1.PriceSource{Format: costv1.CSVFormat, ConfigMap: costv1.ConfigMapKey{Name: "prices", Key: "table.csv"}},
	}}
	must(t, kube.Create(t.Context(), l))
	says(t, kube, l, costv1.SourceMissingReason, "prices")
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "prices"}, Data: map[string]string{"table.csv": head + ",n,,node,metadata.name,,0.5,\n"}}
	must(t, kube.Create(t.Context(), cm))
	says(t, kube, l, costv1.InForceReason, "count")
	terms, digest, err := c.Terms()
	if err != nil || len(terms.Book.Lists) != 1 || terms.Book.Lists[0].Nodes[0].Hourly.Float() != 0.5 {
		t.Errorf("the terms are %+v, %v", terms, err)
	}
	cm.Data["table.csv"] = head + ",n,,node,metadata.name,,0.5,\n,m,,node,metadata.name,,-1,\n"
	must(t, kube.Update(t.Context(), cm))
	broken := says(t, kube, l, costv1.InvalidReason, "line 3")
	terms, other, err := c.Terms()
	if err != nil || len(terms.Book.Lists) != 0 || other == digest || len(terms.Notes) != 1 {
		t.Errorf("a part of a broken list counts: %+v, %v", terms, err)
	}
	// Another ConfigMap is nobody's, and the same content is no news.
	told := changed.Load()
	must(t, kube.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "other"}}))
	cm.Labels = map[string]string{"a": "b"}
	must(t, kube.Update(t.Context(), cm))
	time.Sleep(300 * time.Millisecond)
	var now costv1.PriceList
	must(t, kube.Get(t.Context(), client.ObjectKeyFromObject(l), &now))
	if now.ResourceVersion != broken.ResourceVersion || changed.Load() != told {
		t.Errorf("the same prices are written and told again: %d and %d times", told, changed.Load())
	}
	must(t, kube.Delete(t.Context(), l))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if terms, _, _ = c.Terms(); len(terms.Notes) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a list that is gone is told of: %q", terms.Notes)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says watches the list until Ready has these words.
func says(t *testing.T, kube client.WithWatch, l *costv1.PriceList, reason, words string) *costv1.PriceList {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	w, err := kube.Watch(ctx, &costv1.PriceListList{}, client.MatchingFields{"metadata.name": l.Name})
	must(t, err)
	defer w.Stop()
	var last *metav1.Condition
	for e := range w.ResultChan() {
		o, is := e.Object.(*costv1.PriceList)
		if !is {
			continue
		}
		if last = control.Find(o.Status.Conditions, costv1.ReadyCondition); last != nil && last.Reason == reason && strings.Contains(last.Message, words) {
			return o
		}
	}
	t.Fatalf("it says %+v, want %s with %q", last, reason, words)
	return nil
}
