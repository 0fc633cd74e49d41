package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	toolscache "k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"

	infrav1 "portico.dev/portico/api/local/infrastructure/v1alpha1"
)

// doors let machines of local clusters reach a port of the plane that listens on loopback: the host's
// address on a cluster's network, and on no other, leads there. What comes in is passed on as it is, so
// that TLS and credentials are between the two ends.
type doors struct {
	port int
	// dial connects to what is behind.
	dial func() (net.Conn, error)
	log  *slog.Logger

	mu   sync.Mutex
	open map[string]net.Listener
	// most is how many connections there may be through one door, and crowded by which doors it was said
	// that there are so many.
	most    int
	crowded map[string]bool
}

// mostThrough is how many connections lead through a door at a time. A cluster's collectors take a few
// each; whatever else runs in it must not take all that the plane can open.
const mostThrough = 512

func newDoors(port int, to string, log *slog.Logger) *doors {
	return &doors{port: port, dial: func() (net.Conn, error) { return net.Dial("tcp", to) }, log: log, open: map[string]net.Listener{}, most: mostThrough, crowded: map[string]bool{}}
}

// follow opens a door for each local cluster with a network of its own, and closes those of clusters
// that are gone, until ctx ends.
func (d *doors) follow(ctx context.Context, seen ctrlcache.Cache) error {
	informer, err := seen.GetInformer(ctx, &infrav1.LocalCluster{})
	if err != nil {
		return fmt.Errorf("watching local clusters: %w", err)
	}
	look := func(any) { d.look(ctx, seen) }
	handled, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: look, UpdateFunc: func(_, o any) { look(o) }, DeleteFunc: look,
	})
	if err != nil {
		return fmt.Errorf("watching local clusters: %w", err)
	}
	context.AfterFunc(ctx, func() {
		_ = informer.RemoveEventHandler(handled) // the manager ends with it
		d.set(nil)
	})
	return nil
}

func (d *doors) look(ctx context.Context, seen ctrlcache.Cache) {
	var all infrav1.LocalClusterList
	if err := seen.List(ctx, &all); err != nil {
		d.log.Warn("opening the way to telemetry for local clusters failed", "error", err)
		return
	}
	var hosts []string
	for i := range all.Items {
		if n := all.Items[i].Status.Network.Index; n > 0 {
			hosts = append(hosts, hostOf(n))
		}
	}
	if ctx.Err() == nil {
		d.set(hosts)
	}
}

// set makes the doors those of these addresses.
func (d *doors) set(hosts []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, host := range slices.Collect(maps.Keys(d.open)) {
		if !slices.Contains(hosts, host) {
			d.open[host].Close()
			delete(d.open, host)
			delete(d.crowded, host)
		}
	}
	for _, host := range hosts {
		if d.open[host] != nil {
			continue
		}
		l, err := d.listen(host)
		if err != nil {
			d.log.Warn("a local cluster does not reach the stores of telemetry", "error", err)
			continue
		}
		d.open[host] = l
		go d.accept(l, host)
	}
}

// listen also takes an address that the machine does not have yet, or for a while not any more.
func (d *doors) listen(host string) (net.Listener, error) {
	free := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
		return errors.Join(err, set)
	}}
	l, err := free.Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(d.port)))
	if err != nil {
		return nil, fmt.Errorf("listening for telemetry: %w", err)
	}
	return l, nil
}

func (d *doors) accept(l net.Listener, host string) {
	places := make(chan struct{}, d.most)
	for {
		from, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		select {
		case places <- struct{}{}:
			go func() {
				defer func() { <-places }()
				d.pass(from)
			}()
		default:
			from.Close() // who sends tries again
			d.crowd(host)
		}
	}
}

// crowd says once of a door that connections are refused there.
func (d *doors) crowd(host string) {
	d.mu.Lock()
	said := d.crowded[host]
	d.crowded[host] = true
	d.mu.Unlock()
	if !said {
		d.log.Warn("a local cluster opens more connections to the stores of telemetry than it may: further ones are closed until some end; look at what in the cluster sends telemetry",
			"address", net.JoinHostPort(host, strconv.Itoa(d.port)), "most", d.most)
	}
}

// pass copies both ways until both have ended.
func (d *doors) pass(from net.Conn) {
	defer from.Close()
	to, err := d.dial()
	if err != nil {
		return // who sends tries again
	}
	defer to.Close()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // a broken connection ends it
			if half, ok := way[0].(*net.TCPConn); ok {
				_ = half.CloseWrite() // as above
			}
		})
	}
	both.Wait()
}
