package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/e2e"
)

const (
	releaseClusters = 10
	releaseServices = 100
	leastReleases   = 20 // releases per second
	// recordSize is about what Helm's record of a release of the chart takes.
	recordSize = 4 << 10
)

// releases puts a hundred services on ten clusters by one MultiClusterService, and makes the same
// objects by hand beside it.
func releases(ctx context.Context, b *bench) error {
	if _, err := b.up(ctx); err != nil {
		return err
	}
	if err := b.offerChart(ctx); err != nil {
		return err
	}
	talk("making %d clusters", releaseClusters)
	var all []e2e.Cluster
	for n := range releaseClusters {
		all = append(all, e2e.Cluster{Name: fmt.Sprintf("many-%d", n), Workers: 2})
	}
	if err := b.create(ctx, all); err != nil {
		return err
	}
	alone, err := b.byHand(ctx, all)
	if err != nil {
		return err
	}
	if err := pause(ctx, 20*time.Second); err != nil {
		return err
	}
	before, err := b.processorTime(everyProgram)
	if err != nil {
		return err
	}
	took, err := b.byServices(ctx, all)
	if err != nil {
		return err
	}
	const count = releaseClusters * releaseServices
	remark(fmt.Sprintf("the objects and records of %d releases, written to the API servers without Portico", count), count/alone.written, "releases/s")
	remark("  the same until their pods run", count/alone.running, "releases/s")
	atLeast(fmt.Sprintf("%d releases from apply to all Deployed", count), leastReleases, count/took, "releases/s")
	remark("  the same in parts of what the API servers alone reach until pods run", alone.running/took, "")
	after, err := b.processorTime(everyProgram)
	if err != nil {
		return err
	}
	remark("  processor time a release in the plane", 1000*(after["plane"]-before["plane"])/count, "ms")
	remark("  in the management API server", 1000*(after["management"]-before["management"])/count, "ms")
	remark("  in the clusters' control planes", 1000*(sum(after, controlPlane)-sum(before, controlPlane))/count, "ms")
	remark("  in all programs", 1000*(sum(after, everyProgram)-sum(before, everyProgram))/count, "ms")
	return nil
}

// sum is the processor time of the programs with such names.
func sum(seconds map[string]float64, such func(string) bool) float64 {
	all := 0.0
	for name, s := range seconds {
		if such(name) {
			all += s
		}
	}
	return all
}

// byServices applies the MultiClusterService and returns the seconds until all is Deployed.
func (b *bench) byServices(ctx context.Context, on []e2e.Cluster) (float64, error) {
	var services []kcm.Service
	for n := range releaseServices {
		services = append(services, kcm.Service{Name: fmt.Sprintf("app-%03d", n), Namespace: "apps", Template: probe})
	}
	mcs := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: "many"}}
	mcs.Spec.ClusterSelector = metav1.LabelSelector{MatchLabels: map[string]string{"bench": "many"}}
	mcs.Spec.ServiceSpec.Services = services
	for _, c := range on {
		d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: c.Key().Namespace, Name: c.Name}}
		if err := b.kube.Patch(ctx, d, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"bench":"many"}}}`))); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	if err := e2e.Apply(ctx, b.kube, mcs); err != nil {
		return 0, err
	}
	_, err := e2e.Await(ctx, b.kube, mcs, func(m *kcm.MultiClusterService) string {
		deployed := 0
		for _, c := range m.Status.MatchingClusters {
			if c.Deployed {
				deployed++
			}
		}
		if deployed < len(on) {
			return fmt.Sprintf("all is deployed on %d of %d clusters", deployed, len(on))
		}
		return ""
	})
	return since(began), err
}

// alone is how many seconds it takes without Portico: until the API servers have answered to all
// writes, and until all pods run.
type alone struct{ written, running float64 }

// byHand writes what so many releases consist of straight to the clusters, eight at a time on
// each, and takes it away again.
func (b *bench) byHand(ctx context.Context, on []e2e.Cluster) (alone, error) {
	var children []client.WithWatch
	for _, c := range on {
		_, child, err := e2e.Child(ctx, b.kube, c.Key())
		if err != nil {
			return alone{}, err
		}
		if err := child.Create(ctx, byHandNamespace()); err != nil {
			return alone{}, err
		}
		children = append(children, child)
	}
	took, began := alone{}, time.Now()
	err := onAll(children, func(child client.WithWatch) error {
		lanes := make([]error, 8)
		var wg sync.WaitGroup
		for lane := range lanes {
			wg.Go(func() {
				for n := lane; n < releaseServices && lanes[lane] == nil; n += len(lanes) {
					lanes[lane] = writeRelease(ctx, child, fmt.Sprintf("app-%03d", n))
				}
			})
		}
		wg.Wait()
		return errors.Join(lanes...)
	})
	if err != nil {
		return took, err
	}
	took.written = since(began)
	err = onAll(children, func(child client.WithWatch) error {
		for n := range releaseServices {
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: byHandNamespace().Name, Name: fmt.Sprintf("app-%03d", n)}}
			if _, err := e2e.Await(ctx, child, d, runs); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return took, err
	}
	took.running = since(began)
	return took, onAll(children, func(child client.WithWatch) error {
		if err := child.Delete(ctx, byHandNamespace()); err != nil {
			return err
		}
		return e2e.AwaitGone(ctx, child, byHandNamespace())
	})
}

func byHandNamespace() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "by-hand"}}
}

// runs says why a Deployment does not run yet; nothing if it does.
func runs(d *appsv1.Deployment) string {
	if d.Status.AvailableReplicas == 0 {
		return "no pod is available"
	}
	return ""
}

// onAll does the same on all clusters at once.
func onAll(children []client.WithWatch, do func(client.WithWatch) error) error {
	errs := make([]error, len(children))
	var wg sync.WaitGroup
	for i, child := range children {
		wg.Go(func() { errs[i] = do(child) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// writeRelease writes the objects of the chart and a record that is written twice, as Helm does.
func writeRelease(ctx context.Context, child client.Client, name string) error {
	meta := metav1.ObjectMeta{Namespace: byHandNamespace().Name, Name: name}
	labels := map[string]string{"app": name}
	record := &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"release": make([]byte, recordSize)}}
	objects := []client.Object{
		record,
		&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"text": "first"}},
		&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80)}}}},
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/probe:1.0.0"}}},
			},
		}},
	}
	for _, o := range objects {
		if err := child.Create(ctx, o); err != nil {
			return err
		}
	}
	record.Labels = map[string]string{"status": "deployed"}
	return child.Update(ctx, record)
}
