package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"portico.dev/portico/api/config/v1alpha1"
)

// store is a running etcd.
type store struct {
	etcd   *embed.Etcd
	level  zap.AtomicLevel // of etcd's log
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
	level := zap.NewAtomicLevelAt(zap.WarnLevel)
	cfg, err := etcdConfig(c, socket, level)
	if err != nil {
		folder.Close()
		return nil, err
	}
	// etcd keeps two segments of its log on disk from the start: 128 MB, for a cluster whose data
	// are less than one.
	wal.SegmentSizeBytes = 16 << 20
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		folder.Close()
		return nil, fmt.Errorf("starting etcd in %s: %w", layout(c.Dir).etcd(), err)
	}
	s := &store{etcd: e, level: level, folder: folder, server: "unix://" + socket}
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
func etcdConfig(c v1alpha1.ControlPlaneConfiguration, socket string, level zap.AtomicLevel) (*embed.Config, error) {
	logger, err := newLogger(level)
	if err != nil {
		return nil, err
	}
	cfg := embed.NewConfig()
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger)
	cfg.Dir = layout(c.Dir).etcd()
	cfg.ListenClientUrls = []url.URL{{Scheme: "unix", Path: socket}}
	cfg.ListenPeerUrls = nil
	// Never dialled: the only client knows the socket, and there are no peers. etcd wants a host.
	cfg.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2379"}}
	cfg.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	cfg.Name = c.Name
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.EnableGRPCGateway = false
	// Zero, as embed leaves it, would report every request.
	cfg.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration

	// A lone member waits one to four ticks before it elects itself, at every start; there is
	// nobody whose slow answers a longer election would have to allow for.
	cfg.TickMs, cfg.ElectionMs = 50, 250

	if withoutWork(c) {
		cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModeRevision, strconv.Itoa(revisions)
	}
	cfg.UnsafeNoFsync = c.Etcd.UnsafeNoFsync
	cfg.QuotaBackendBytes = c.Etcd.QuotaBytes
	cfg.SnapshotCount = uint64(c.Etcd.SnapshotCount)
	// A file that shrank inside gets its space back when the process starts.
	cfg.BootstrapDefragThresholdMegabytes = 64
	cfg.SnapshotCatchUpEntries = 100 // kept in memory for slow followers, which there are none
	return cfg, nil
}

func newLogger(level zap.AtomicLevel) (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	c.Level, c.Encoding, c.EncoderConfig.EncodeTime = level, "console", zapcore.RFC3339TimeEncoder
	c.DisableStacktrace = true
	logger, err := c.Build()
	if err != nil {
		return nil, fmt.Errorf("making etcd's log: %w", err)
	}
	return logger, nil
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

// stop flushes and closes the database. What etcd calls errors from here on are its own
// listeners, closing.
func (s *store) stop() {
	s.level.SetLevel(zap.FatalLevel)
	s.etcd.Close()
	s.folder.Close()
}
