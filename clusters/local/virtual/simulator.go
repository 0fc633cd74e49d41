package virtual

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/clock"
	"sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	"sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	"sigs.k8s.io/kwok/pkg/log"

	kubeconfigs "portico.dev/portico/kube/kubeconfig"
)

const (
	// holder is the same in every process of ours: whoever comes after a kill -9 renews the
	// leases at once instead of waiting until they expire.
	holder = "portico"
	// leaseSeconds is four times the pause between two renewals, which has to be shorter than
	// the grace of Kubernetes' node lifecycle controller (50 s).
	leaseSeconds = 120
	workers      = 4
	// defaultPods is the range of pods on nodes that have none of their own.
	defaultPods = "10.0.0.1/24"
)

//go:embed node.yaml
var nodeStage string

// Simulator runs a KWOK controller for each child cluster. It is safe for concurrent use.
type Simulator struct {
	mu      sync.Mutex
	running map[types.NamespacedName]run
}

type run struct {
	kubeconfig []byte
	end        context.CancelFunc
}

// NewSimulator returns a Simulator that runs nothing yet.
func NewSimulator() *Simulator {
	return &Simulator{running: map[types.NamespacedName]run{}}
}

// Ensure makes the nodes of the cluster behind the kubeconfig pretend, until Stop. Doing so
// twice is doing it once; a changed kubeconfig is taken over.
func (s *Simulator) Ensure(key types.NamespacedName, kubeconfig []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, ok := s.running[key]
	if ok && bytes.Equal(was.kubeconfig, kubeconfig) {
		return nil
	}
	ctx, end := context.WithCancel(log.NewContext(context.Background(), log.NewLogger(nil, 0)))
	if err := start(ctx, kubeconfig); err != nil {
		end()
		return fmt.Errorf("simulating the nodes of %s: %w", key, err)
	}
	if ok {
		was.end()
	}
	s.running[key] = run{kubeconfig: bytes.Clone(kubeconfig), end: end}
	return nil
}

// Stop ends the simulation of a cluster. Its nodes stay, and become NotReady after a while.
func (s *Simulator) Stop(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.running[key]; ok {
		was.end()
		delete(s.running, key)
	}
}

// Close ends all simulations.
func (s *Simulator) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, was := range s.running {
		was.end()
		delete(s.running, key)
	}
}

// start returns as soon as the watches were begun. The child need not answer yet.
func start(ctx context.Context, kubeconfig []byte) error {
	cfg, err := kubeconfigs.Read(kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	cfg.QPS, cfg.UserAgent = -1, holder
	typed, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	stages, err := lifecycles()
	if err != nil {
		return err
	}
	c, err := controllers.NewController(controllers.Config{
		Clock:       clock.RealClock{},
		TypedClient: typed, DynamicClient: dyn, RESTClient: typed.RESTClient(),
		ImpersonatingTypedClient: impersonator{cfg}, ImpersonatingDynamicClient: impersonator{cfg},
		RESTMapper:                   restmapper.NewDiscoveryRESTMapper(nil), // only stages of other kinds ask it
		ManageNodesWithLabelSelector: Label + "=" + LabelValue,
		LocalStages:                  stages,
		CIDR:                         defaultPods,
		NodePlayStageParallelism:     workers, PodPlayStageParallelism: workers,
		NodeLeaseParallelism: workers, PodsOnNodeSyncParallelism: workers,
		NodeLeaseDurationSeconds: leaseSeconds,
		ID:                       holder,
	})
	if err != nil {
		return err
	}
	return c.Start(ctx)
}

// lifecycles are KWOK's own for pods and heartbeats. How a node begins is ours: its size and
// version are those of its machine.
func lifecycles() (map[internalversion.StageResourceRef][]*internalversion.Stage, error) {
	out := map[internalversion.StageResourceRef][]*internalversion.Stage{}
	for _, text := range []string{
		nodeStage, heartbeat_with_lease.DefaultNodeHeartbeatWithLease,
		fast.DefaultPodReady, fast.DefaultPodComplete, fast.DefaultPodDelete,
	} {
		stage, err := config.UnmarshalWithType[*internalversion.Stage](text)
		if err != nil {
			return nil, fmt.Errorf("reading a stage: %w", err)
		}
		ref := stage.Spec.ResourceRef
		out[ref] = append(out[ref], stage)
	}
	return out, nil
}

// impersonator is what KWOK asks for clients of other users; our stages name none.
type impersonator struct{ cfg *rest.Config }

func (i impersonator) as(who rest.ImpersonationConfig) *rest.Config {
	cfg := rest.CopyConfig(i.cfg)
	cfg.Impersonate = who
	return cfg
}

// ImpersonateTyped implements KWOK's client.TypedClientImpersonator.
func (i impersonator) ImpersonateTyped(who rest.ImpersonationConfig) (kubernetes.Interface, error) {
	return kubernetes.NewForConfig(i.as(who))
}

// ImpersonateDynamic implements KWOK's client.DynamicClientImpersonator.
func (i impersonator) ImpersonateDynamic(who rest.ImpersonationConfig) (dynamic.Interface, error) {
	return dynamic.NewForConfig(i.as(who))
}
