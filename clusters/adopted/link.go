package adopted

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"portico.dev/portico/fleet"
)

// Pauses between attempts at a cluster that does not answer.
const (
	firstPause = time.Second
	lastPause  = 2 * time.Minute
)

// links keeps one connection to each cluster. Each has a goroutine of its own, so one that
// hangs takes nothing from the others. It is safe for concurrent use.
type links struct {
	life     context.Context
	patience time.Duration
	clock    fleet.Clock
	ring     func(types.NamespacedName)

	mu    sync.Mutex
	known map[types.NamespacedName]*link
}

func newLinks(life context.Context, patience time.Duration, clock fleet.Clock, ring func(types.NamespacedName)) *links {
	return &links{life: life, patience: patience, clock: clock, ring: ring, known: map[types.NamespacedName]*link{}}
}

// link is the connection to one cluster.
type link struct {
	*links
	key  types.NamespacedName
	end  context.CancelFunc
	seen Link // guarded by links.mu
}

// see says how the connection to a cluster stands, nil if none is kept.
func (l *links) see(key types.NamespacedName) *Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.known[key]; k != nil {
		seen := k.seen
		return &seen
	}
	return nil
}

// open connects to a cluster, in place of a connection that there may be.
func (l *links) open(key types.NamespacedName, digest string, config *rest.Config) {
	ctx, end := context.WithCancel(l.life)
	made := &link{links: l, key: key, end: end, seen: Link{Digest: digest}}
	l.mu.Lock()
	if old := l.known[key]; old != nil {
		old.end()
	}
	l.known[key] = made
	l.mu.Unlock()
	go made.run(ctx, rest.CopyConfig(config))
}

// close ends the connection to a cluster, if there is one.
func (l *links) close(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.known[key]; k != nil {
		k.end()
		delete(l.known, key)
	}
}

// run asks the cluster, holds a stream open for as long as it lives, and begins anew. Between
// attempts that fail it pauses, each time for longer.
func (l *link) run(ctx context.Context, config *rest.Config) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		l.tell(ctx, Link{Problem: fmt.Sprintf("The kubeconfig cannot be used: %v", err)})
		return
	}
	defer utilnet.CloseIdleConnectionsFor(client.Transport)
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		version, stream, err := l.ask(ctx, config, client)
		if err != nil {
			l.tell(ctx, Link{Problem: Sentence(config.Host, err, l.patience)})
			wait(ctx, pause)
			continue
		}
		l.tell(ctx, Link{Answered: true, Version: version})
		began := l.clock()
		drain(ctx, stream)
		// Servers end streams now and then. One that does so at once would keep us busy.
		if l.clock().Sub(began) < pause {
			wait(ctx, pause)
			continue
		}
		pause = firstPause / 2
	}
}

// tell notes how the last attempt went, and rings if that is news.
func (l *link) tell(ctx context.Context, news Link) {
	l.mu.Lock()
	if ctx.Err() != nil {
		l.mu.Unlock()
		return // nobody wants to know any more
	}
	news.Digest, news.Tried = l.seen.Digest, true
	if !news.Answered {
		news.Failures = l.seen.Failures + 1
	}
	changed := news != l.seen
	l.seen = news
	l.mu.Unlock()
	if changed {
		l.ring(l.key)
	}
}

// ask returns the version of a cluster and a stream that lives as long as the cluster does:
// a watch on one object that never changes, of which only the metadata travels.
func (l *link) ask(ctx context.Context, config *rest.Config, client *http.Client) (string, watch.Interface, error) {
	version, err := l.askVersion(ctx, config, client)
	if err != nil {
		return "", nil, err
	}
	objects, err := metadata.NewForConfigAndClient(config, client)
	if err != nil {
		return "", nil, err
	}
	// The patience is for the answer alone: the stream itself may last.
	streaming, end := context.WithCancelCause(ctx)
	late := time.AfterFunc(l.patience, func() { end(context.DeadlineExceeded) })
	stream, err := objects.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Watch(streaming, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, metav1.NamespaceSystem).String(),
	})
	if !late.Stop() && err == nil {
		stream.Stop()
		err = context.DeadlineExceeded
	}
	if err != nil {
		if cause := context.Cause(streaming); cause != nil {
			err = cause
		}
		end(nil)
		return "", nil, err
	}
	return version, ending{stream, func() { end(nil) }}, nil
}

func (l *link) askVersion(ctx context.Context, config *rest.Config, client *http.Client) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	server, err := discovery.NewDiscoveryClientForConfigAndClient(config, client)
	if err != nil {
		return "", err
	}
	answer, err := server.RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return "", err
	}
	return versionOf(answer)
}

// ending is a stream with what it holds on to.
type ending struct {
	watch.Interface
	end func()
}

// Stop implements watch.Interface.
func (e ending) Stop() {
	e.Interface.Stop()
	e.end()
}

// drain reads a stream until it ends.
func drain(ctx context.Context, stream watch.Interface) {
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, more := <-stream.ResultChan():
			if !more || event.Type == watch.Error {
				return
			}
		}
	}
}

func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func versionOf(answer []byte) (string, error) {
	var info version.Info
	if err := json.Unmarshal(answer, &info); err != nil || info.GitVersion == "" {
		return "", fmt.Errorf("it answers, but not as an API server does: %.80q", answer)
	}
	return info.GitVersion, nil
}
