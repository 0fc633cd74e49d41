package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/config"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/server/explain/reader"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/serviceset"
)

// world is what a command meets.
type world struct {
	// Args is the command line, Stdin what is piped in.
	Args  []string `json:"args"`
	Stdin string   `json:"stdin"`
	// Objects are on the management cluster, Later come when the command begins to watch: one
	// with a deletionTimestamp is deleted.
	Objects []unstructured.Unstructured `json:"objects"`
	Later   []unstructured.Unstructured `json:"later"`
	// Child are the objects on the child cluster, or Problem why it does not answer.
	Child   []unstructured.Unstructured `json:"child"`
	Problem string                      `json:"problem"`
	// Lost is how often the API server does not answer after it did once; -1 is from the
	// first list on, and for ever.
	Lost int `json:"lost"`
	// Forbidden are the kinds that the user may not list everywhere.
	Forbidden []string `json:"forbidden"`
	// Plane is what the management plane says, Files are in the user's folder.
	Plane toldPlane         `json:"plane"`
	Files map[string]string `json:"files"`
}

// Each scenario is a command line against an API server and a plane; what is printed comes out,
// and what was changed: by commands about clusters the ClusterDeployments, by the others what
// the plane was asked to do, and the user's kubeconfig.
func TestCommands(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var w world
		if err := in.Decode("world.yaml", &w); err != nil {
			return nil, err
		}
		at, err := newHome(w.Files)
		if err != nil {
			return nil, err
		}
		defer at.remove()
		kube := w.management()
		var out, talk bytes.Buffer
		status := w.run(at, kube, &out, &talk)
		plain := func(b bytes.Buffer) string {
			return strings.ReplaceAll(at.plain(b.String()), runtime.Version(), "go1.26.6")
		}
		sections := []scenario.Section{scenario.Text("stdout", plain(out)), scenario.Text("stderr", plain(talk)), scenario.Text("status", fmt.Sprint(status))}
		if w.Plane.calls != nil {
			sections = append(sections, scenario.Text("called", at.plain(strings.Join(w.Plane.calls, "\n"))))
		}
		if slices.Contains(w.Args, "--merge") {
			sections = append(sections, scenario.Text("kubeconfig", at.kubeconfig()))
		}
		if !writes(w.Args) {
			return sections, nil
		}
		changed, err := stored(kube)
		if changed != "" {
			sections = append(sections, scenario.Text("stored", changed))
		}
		return sections, err
	})
}

// agreeable is an engine that refuses nothing, and is asked nothing else.
type agreeable struct{ engine.Engine }

func (agreeable) Name() string                      { return "agreeable" }
func (agreeable) Refuse(engine.Set) field.ErrorList { return nil }

// run runs the command line and returns its exit status.
func (w *world) run(at home, kube client.WithWatch, out, talk io.Writer) int {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return Run(ctx, Deps{
		Streams: Streams{In: strings.NewReader(w.Stdin), Out: out, Err: talk},
		Version: "v0.1.0", UID: 1000,
		Getenv: at.getenv, Now: func() time.Time { return now },
		Plane: func(c config.Config) Plane {
			w.Plane.cfg = c
			return &w.Plane
		},
		dial: func(context.Context) (*connection, error) {
			return &connection{kube: kube, read: reader.New(kube, w.children, func() time.Time { return now }), planner: &planning.Planner{
				Kube: kube, Adapter: serviceset.Config{Engines: []engine.Engine{agreeable{}}, Default: "agreeable", Home: kcm.DefaultSystemNamespace, Clock: func() time.Time { return now }},
			}}, nil
		},
	}, w.Args)
}

func writes(args []string) bool {
	return len(args) > 1 && slices.Contains([]string{"create", "scale", "upgrade", "delete", "pause", "resume", "abort", "rollback"}, args[1])
}

// stored are the wishes that commands may change: the specs of all ClusterDeployments,
// MultiClusterServices and Rollouts, and the annotations of ServiceSets.
func stored(kube client.Client) (string, error) {
	var (
		clusters kcm.ClusterDeploymentList
		services kcm.MultiClusterServiceList
		sets     kcm.ServiceSetList
		rollouts statev1.RolloutList
	)
	for _, list := range []client.ObjectList{&clusters, &services, &sets, &rollouts} {
		if err := kube.List(context.Background(), list); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	add := func(name string, value any) { b.WriteString(scenario.YAML("", map[string]any{name: value}).Text) }
	for _, d := range clusters.Items {
		add(d.Namespace+"/"+d.Name, d.Spec)
	}
	for _, m := range services.Items {
		add(m.Name, m.Spec)
	}
	for _, set := range sets.Items {
		if set.Annotations != nil {
			add(set.Namespace+"/"+set.Name, set.Annotations)
		}
	}
	for _, r := range rollouts.Items {
		add(r.Namespace+"/"+r.Name, r.Spec)
	}
	return b.String(), nil
}

func (w *world) management() client.WithWatch {
	scheme, err := planning.NewScheme()
	must(err)
	objects := make([]client.Object, len(w.Objects))
	for i := range w.Objects {
		objects[i] = &w.Objects[i]
	}
	asked, lost := false, w.Lost
	answers := func() error {
		if lost > 0 && asked || lost < 0 {
			lost--
			return &url.Error{Op: "Get", URL: "https://127.0.0.1:7443/apis", Err: errors.New("dial tcp 127.0.0.1:7443: connect: connection refused")}
		}
		asked = true
		return nil
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(kinds()).WithObjects(objects...).
		WithIndex(&kcm.ClusterDeployment{}, metav1.ObjectNameField, func(o client.Object) []string { return []string{o.GetName()} }).
		WithInterceptorFuncs(interceptor.Funcs{Watch: func(ctx context.Context, kube client.WithWatch, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
			if err := answers(); err != nil {
				return nil, err
			}
			events, err := kube.Watch(ctx, list, opts...)
			go w.happen(ctx, kube)
			return events, err
		}, List: func(ctx context.Context, kube client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := answers(); err != nil {
				return err
			}
			if kind := kindOf(list, scheme); (&client.ListOptions{}).ApplyOptions(opts).Namespace == "" && slices.Contains(w.Forbidden, kind) {
				return apierrors.NewForbidden(schema.GroupResource{Resource: kind}, "", errors.New("not yours"))
			}
			return kube.List(ctx, list, opts...)
		}, Patch: func(ctx context.Context, kube client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := kube.Patch(ctx, o, patch, opts...); err != nil {
				return err
			}
			o.SetGeneration(o.GetGeneration() + 1) // as a real API server does when a spec changes
			return kube.Update(ctx, o)
		}}).Build()
}

// kindOf is what a list is of.
func kindOf(list client.ObjectList, scheme *k8sruntime.Scheme) string {
	gvk, err := apiutil.GVKForObject(list, scheme)
	must(err)
	return strings.TrimSuffix(gvk.Kind, "List")
}

// happen makes the later objects so, one after the other.
func (w *world) happen(ctx context.Context, kube client.Client) {
	for i := range w.Later {
		o := w.Later[i].DeepCopy()
		if o.GetDeletionTimestamp() != nil {
			must(kube.Delete(ctx, o))
			continue
		}
		have := o.DeepCopy()
		must(kube.Get(ctx, client.ObjectKeyFromObject(o), have))
		o.SetResourceVersion(have.GetResourceVersion())
		o.SetDeletionTimestamp(have.GetDeletionTimestamp())
		must(kube.Update(ctx, o))
	}
}

func (w *world) children(_ context.Context, key types.NamespacedName) (client.Reader, error) {
	if w.Problem != "" {
		return nil, errors.New(w.Problem)
	}
	objects := make([]client.Object, len(w.Child))
	for i := range w.Child {
		objects[i] = &w.Child[i]
	}
	return fake.NewClientBuilder().WithScheme(k8sruntime.NewScheme()).WithRESTMapper(kinds()).WithObjects(objects...).Build(), nil
}

// must ends the test binary: a scenario that cannot happen is a mistake in its file.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// kinds is what the API servers of the scenarios know.
func kinds() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{
		kcm.GroupVersion, statev1.GroupVersion, {Group: "cluster.x-k8s.io", Version: "v1beta2"}, {Group: "infrastructure.cluster.x-k8s.io", Version: "v1alpha1"},
		{Group: "controlplane.cluster.x-k8s.io", Version: "v1alpha1"}, {Group: "source.toolkit.fluxcd.io", Version: "v1"}, {Version: "v1"},
	})
	add := func(group, version string, scope meta.RESTScope, names ...string) {
		for _, name := range names {
			mapper.Add(schema.GroupVersionKind{Group: group, Version: version, Kind: name}, scope)
		}
	}
	our := kcm.GroupVersion
	add(our.Group, our.Version, meta.RESTScopeNamespace, kcm.ClusterDeploymentKind, kcm.ClusterTemplateKind, kcm.ServiceTemplateKind, kcm.CredentialKind, kcm.ServiceSetKind)
	add(our.Group, our.Version, meta.RESTScopeRoot, kcm.ProviderTemplateKind, kcm.ManagementKind, kcm.MultiClusterServiceKind, kcm.StateManagementProviderKind)
	add(statev1.GroupVersion.Group, statev1.GroupVersion.Version, meta.RESTScopeNamespace, statev1.RolloutKind, statev1.NamespacedMultiClusterServiceKind)
	add("cluster.x-k8s.io", "v1beta2", meta.RESTScopeNamespace, "Cluster", "MachineDeployment", "MachineSet", "Machine")
	add("infrastructure.cluster.x-k8s.io", "v1alpha1", meta.RESTScopeNamespace, "LocalCluster", "LocalMachine")
	add("controlplane.cluster.x-k8s.io", "v1alpha1", meta.RESTScopeNamespace, "HostedControlPlane")
	add("source.toolkit.fluxcd.io", "v1", meta.RESTScopeNamespace, "HelmChart", "HelmRepository")
	add("", "v1", meta.RESTScopeNamespace, "Secret", "Pod")
	add("", "v1", meta.RESTScopeRoot, "Node")
	add("apps", "v1", meta.RESTScopeNamespace, "Deployment", "StatefulSet", "DaemonSet", "ControllerRevision")
	add("batch", "v1", meta.RESTScopeNamespace, "Job")
	return mapper
}
