package processrunner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/api/config/controlplane"
	"portico.dev/portico/clusters/hosted"
	"portico.dev/portico/fleet"
	"portico.dev/portico/pki"
	"portico.dev/portico/process"
	"portico.dev/portico/process/setback"
)

// digestVariable carries the digest of the instance that a process runs.
const digestVariable = "PORTICO_INSTANCE"

const (
	// upgradeGrace is how long a control plane may take to end before another one replaces it.
	upgradeGrace = 15 * time.Second
	// removeGrace is none: nobody will miss what it would still write.
	removeGrace = 0
)

// Config is what a Runner stands on.
type Config struct {
	// Folder holds a folder for each control plane.
	Folder string
	// Logs holds a log file for each control plane.
	Logs string
	// Table finds the processes.
	Table process.Table
	// Programs finds the program of a version.
	Programs Programs
	// NetnsFolder is where network namespaces are mounted, by convention /run/netns.
	NetnsFolder string
	// Ring is called when the state of an instance changed. It may be called at any time.
	Ring  func(types.NamespacedName)
	Clock fleet.Clock
}

// Programs finds the file of a Kubernetes version.
type Programs interface {
	// Find returns the absolute path of the program. It returns fleet.ErrInvalid if the
	// version is not installed, and names those that are.
	Find(version string) (string, error)
}

// Runner runs control planes as processes.
type Runner struct {
	cfg Config

	setbacks *setback.Book[types.NamespacedName]

	mu      sync.Mutex
	watched map[types.NamespacedName]*watch
}

// New returns a Runner that watches nothing yet: State adopts.
func New(cfg Config) *Runner {
	return &Runner{cfg: cfg, setbacks: setback.New[types.NamespacedName](cfg.Clock), watched: map[types.NamespacedName]*watch{}}
}

// State implements hosted.Runner.
func (r *Runner) State(ctx context.Context, key types.NamespacedName) (hosted.State, error) {
	p, running, err := r.cfg.Table.Find(processName(key))
	if err != nil {
		return hosted.State{}, err
	}
	if !running {
		return r.stopped(key)
	}
	digest, err := r.digest(p)
	if err != nil {
		return r.stopped(key) // it ended between the two looks
	}
	w, err := r.watch(ctx, key, p)
	if err != nil {
		return hosted.State{}, err
	}
	s := hosted.State{Phase: hosted.Starting, Digest: digest}
	if w.ready() {
		s.Phase = hosted.Ready
	}
	return s, nil
}

func (r *Runner) stopped(key types.NamespacedName) (hosted.State, error) {
	_, err := os.Stat(r.dir(key))
	if os.IsNotExist(err) {
		return hosted.State{Phase: hosted.Absent}, nil
	}
	if err != nil {
		return hosted.State{}, fmt.Errorf("looking for the folder of %s: %w", key, err)
	}
	s := hosted.State{Phase: hosted.Stopped}
	if r.setbacks.Troubled(key) {
		s.Problem = r.problem(key)
	}
	return s, nil
}

// problem is a sentence that stays the same while the instance keeps ending.
func (r *Runner) problem(key types.NamespacedName) string {
	return "The control plane ended soon after its start and is started again after a pause: see " + r.log(key)
}

// Ensure implements hosted.Runner.
func (r *Runner) Ensure(ctx context.Context, in hosted.Instance) error {
	program, err := r.cfg.Programs.Find(in.Config.KubernetesVersion)
	if err != nil {
		return err
	}
	digest, err := in.Digest()
	if err != nil {
		return err
	}
	p, running, err := r.cfg.Table.Find(processName(in.Key))
	if err != nil {
		return err
	}
	if running {
		if has, err := r.digest(p); err == nil && has == digest {
			_, err = r.watch(ctx, in.Key, p)
			return err
		}
		r.forget(in.Key)
		if err := r.cfg.Table.Stop(ctx, processName(in.Key), upgradeGrace); err != nil {
			return err
		}
	} else if r.setbacks.Held(in.Key, digest) {
		return fmt.Errorf("%w: %s", fleet.ErrNotYet, r.problem(in.Key))
	}
	return r.start(ctx, in, program, digest)
}

func (r *Runner) start(ctx context.Context, in hosted.Instance, program, digest string) error {
	dir := r.dir(in.Key)
	if err := writeFolder(dir, in); err != nil {
		return fmt.Errorf("writing the folder of %s: %w", in.Key, err)
	}
	spec := process.Spec{
		Name: processName(in.Key), Path: program, Dir: dir,
		Args: []string{"controlplane", "--config", filepath.Join(dir, "config.yaml")},
		Env:  []string{digestVariable + "=" + digest, "HOME=" + dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
		Log:  r.log(in.Key),
	}
	if in.Netns != "" {
		spec.Netns = filepath.Join(r.cfg.NetnsFolder, in.Netns)
		if _, err := os.Stat(spec.Netns); err != nil {
			return fmt.Errorf("entering the network of %s: %w", in.Key, err)
		}
	}
	p, err := r.cfg.Table.Start(spec)
	if err != nil {
		return err
	}
	_, err = r.watch(ctx, in.Key, p)
	return err
}

// Remove implements hosted.Runner.
func (r *Runner) Remove(ctx context.Context, key types.NamespacedName) error {
	r.forget(key)
	if err := r.cfg.Table.Stop(ctx, processName(key), removeGrace); err != nil {
		return err
	}
	r.setbacks.Forget(key)
	if err := os.RemoveAll(r.dir(key)); err != nil {
		return fmt.Errorf("removing the folder of %s: %w", key, err)
	}
	if err := os.Remove(r.log(key)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("removing the log of %s: %w", key, err)
	}
	return nil
}

// Close stops watching. The control planes run on.
func (r *Runner) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, w := range r.watched {
		w.cancel()
		delete(r.watched, key)
	}
}

// writeFolder writes files before the configuration that names them.
func writeFolder(dir string, in hosted.Instance) error {
	for name, content := range in.Files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := pki.WriteFile(file, content); err != nil {
			return err
		}
	}
	text, err := controlplane.Encode(hosted.Resolve(in.Config, dir))
	if err != nil {
		return err
	}
	return pki.WriteFile(filepath.Join(dir, "config.yaml"), text)
}

func (r *Runner) digest(p process.Process) (string, error) {
	environ, err := r.cfg.Table.Environ(p)
	for _, v := range environ {
		if digest, ok := strings.CutPrefix(v, digestVariable+"="); ok {
			return digest, nil
		}
	}
	return "", err
}

func (r *Runner) dir(key types.NamespacedName) string {
	return filepath.Join(r.cfg.Folder, folderName(key))
}

func (r *Runner) log(key types.NamespacedName) string {
	return filepath.Join(r.cfg.Logs, folderName(key)+".log")
}

func folderName(key types.NamespacedName) string  { return key.Namespace + "." + key.Name }
func processName(key types.NamespacedName) string { return "clusters/" + folderName(key) }
