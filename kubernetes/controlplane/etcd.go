package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"

	"portico.dev/portico/api/config/v1alpha1"
)

// store is a running etcd.
type store struct {
	etcd   *embed.Etcd
	folder *os.File
	server string // the URL for clients of this process
}

// startStore starts etcd and returns when it serves.
func startStore(ctx context.Context, c v1alpha1.ControlPlaneConfiguration) (*store, error) {
	folder, err := os.Open(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the control plane's folder: %w", err)
	}
	// The path of a socket has at most 107 bytes, that of a folder 4095: name it by descriptor.
	socket := fmt.Sprintf("/proc/self/fd/%d/etcd.sock", folder.Fd())
	e, err := embed.StartEtcd(etcdConfig(c, socket))
	if err != nil {
		folder.Close()
		return nil, fmt.Errorf("starting etcd in %s: %w", layout(c.Dir).etcd(), err)
	}
	s := &store{etcd: e, folder: folder, server: "unix://" + socket}
	select {
	case <-e.Server.ReadyNotify():
		return s, nil
	case err := <-e.Err():
		s.stop()
		return nil, fmt.Errorf("starting etcd in %s: %w", layout(c.Dir).etcd(), err)
	case <-ctx.Done():
		s.stop()
		return nil, ctx.Err()
	}
}

// etcdConfig is an etcd of one member, alone for ever.
func etcdConfig(c v1alpha1.ControlPlaneConfiguration, socket string) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Dir = layout(c.Dir).etcd()
	cfg.ListenClientUrls = []url.URL{{Scheme: "unix", Path: socket}}
	cfg.ListenPeerUrls = nil
	// Never dialled: the only client knows the socket, and there are no peers. etcd wants a host.
	cfg.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2379"}}
	cfg.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	cfg.Name = c.Name
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.EnableGRPCGateway = false
	cfg.LogLevel, cfg.LogFormat, cfg.LogOutputs = "warn", "console", []string{"stderr"}
	// Zero, as embed leaves it, would report every request.
	cfg.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration

	// A lone member waits one to four ticks before it elects itself, at every start; there is
	// nobody whose slow answers a longer election would have to allow for.
	cfg.TickMs, cfg.ElectionMs = 50, 250

	cfg.UnsafeNoFsync = c.Etcd.UnsafeNoFsync
	cfg.QuotaBackendBytes = c.Etcd.QuotaBytes
	cfg.SnapshotCount = uint64(c.Etcd.SnapshotCount)
	cfg.SnapshotCatchUpEntries = 100 // kept in memory for slow followers, which there are none
	return cfg
}

// run returns when etcd ends, with an error, or when ctx ends.
func (s *store) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.etcd.Err():
		return err
	case <-s.etcd.Server.StopNotify():
		return errors.New("it stopped itself")
	}
}

// stop flushes and closes the database.
func (s *store) stop() {
	s.etcd.Close()
	s.folder.Close()
}
