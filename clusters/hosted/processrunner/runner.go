package processrunner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/clusters/hosted"
	"portico.dev/portico/fleet"
	"portico.dev/portico/process"
	"portico.dev/portico/process/setback"
)

const (
	// digestVariable carries the digest of the instance that a process runs.
	digestVariable = "PORTICO_INSTANCE"
	processPrefix  = "clusters/"
	// rotated is what the supervisor appends to the name of a log that grew too long.
	rotated = ".1"
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
	locks   map[types.NamespacedName]*sync.Mutex
}

// New returns a Runner that watches nothing yet: State adopts.
func New(cfg Config) *Runner {
	return &Runner{
		cfg: cfg, setbacks: setback.New[types.NamespacedName](cfg.Clock),
		watched: map[types.NamespacedName]*watch{}, locks: map[types.NamespacedName]*sync.Mutex{},
	}
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
	s := hosted.State{Phase: hosted.Starting, Digest: digest}
	w, err := r.watch(ctx, key, p)
	switch {
	case err != nil:
		s.Problem = err.Error()
	case w.ready():
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

// problem is a sentence that stays the same while the instance keeps ending for the same reason.
func (r *Runner) problem(key types.NamespacedName) string {
	const what = "The control plane ended soon after its start and is started again after a pause: "
	if reason := lastWords(r.log(key)); reason != "" {
		return what + reason + "; its log is " + r.log(key)
	}
	return what + "see " + r.log(key)
}

// Ensure implements hosted.Runner.
func (r *Runner) Ensure(ctx context.Context, in hosted.Instance) error {
	defer r.lock(in.Key)()
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
			return r.adopt(ctx, in, p)
		}
		if err := r.check(ctx, in, program); err != nil {
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

// adopt watches over a process that runs as told. If its folder does not say where it is, the
// folder is written again; whoever asked before heard that it cannot be looked at.
func (r *Runner) adopt(ctx context.Context, in hosted.Instance, p process.Process) error {
	if err := own(r.dir(in.Key), in); err != nil {
		return err
	}
	if _, err := r.watch(ctx, in.Key, p); err == nil {
		return nil
	}
	if err := writeFolder(r.dir(in.Key), in); err != nil {
		return fmt.Errorf("writing the folder of %s: %w", in.Key, err)
	}
	if _, err := r.watch(ctx, in.Key, p); err != nil {
		return err
	}
	r.cfg.Ring(in.Key)
	return nil
}

func (r *Runner) start(ctx context.Context, in hosted.Instance, program, digest string) error {
	dir := r.dir(in.Key)
	if err := r.evict(ctx, in); err != nil {
		return err
	}
	if err := writeFolder(dir, in); err != nil {
		return fmt.Errorf("writing the folder of %s: %w", in.Key, err)
	}
	spec := process.Spec{
		Name: processName(in.Key), Path: program, Dir: dir,
		Args: []string{"controlplane", "--config", filepath.Join(dir, configFile)},
		Env:  append(environment(dir), digestVariable+"="+digest),
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
	defer r.lock(key)()
	return r.remove(ctx, key)
}

// SetAside stops an instance that no object stands for, and keeps its data: its folder is moved to
// a name that no instance has, .<namespace>.<name>.<seconds since 1970>. It rings: a sweep may have
// listed the objects a moment too early, and then it has to be made again.
func (r *Runner) SetAside(ctx context.Context, key types.NamespacedName) error {
	defer r.lock(key)()
	if err := r.end(ctx, key); err != nil {
		return err
	}
	aside := filepath.Join(r.cfg.Folder, fmt.Sprintf(".%s.%d", folderName(key), r.cfg.Clock().Unix()))
	if err := os.Rename(r.dir(key), aside); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("setting aside the folder of %s: %w", key, err)
	}
	r.cfg.Ring(key)
	return nil
}

// end stops an instance for good.
func (r *Runner) end(ctx context.Context, key types.NamespacedName) error {
	r.forget(key)
	if err := r.cfg.Table.Stop(ctx, processName(key), removeGrace); err != nil {
		return err
	}
	r.setbacks.Forget(key)
	return nil
}

func (r *Runner) remove(ctx context.Context, key types.NamespacedName) error {
	if err := r.end(ctx, key); err != nil {
		return err
	}
	if err := os.RemoveAll(r.dir(key)); err != nil {
		return fmt.Errorf("removing the folder of %s: %w", key, err)
	}
	for _, log := range []string{r.log(key), r.log(key) + rotated} {
		if err := os.Remove(log); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("removing the log of %s: %w", key, err)
		}
	}
	return nil
}

// List returns the keys of all instances of which anything exists, sorted.
func (r *Runner) List() ([]types.NamespacedName, error) {
	entries, err := os.ReadDir(r.cfg.Folder)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("listing the control planes: %w", err)
	}
	processes, err := r.cfg.Table.List()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, p := range processes {
		if name, ok := strings.CutPrefix(p.Name, processPrefix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []types.NamespacedName
	for _, name := range slices.Compact(names) {
		// A namespace has no dots.
		if namespace, name, ok := strings.Cut(name, "."); ok && namespace != "" {
			out = append(out, types.NamespacedName{Namespace: namespace, Name: name})
		}
	}
	return out, nil
}

// lock keeps Ensure and Remove of one instance apart: a folder must not go under a process that
// starts.
func (r *Runner) lock(key types.NamespacedName) (unlock func()) {
	r.mu.Lock()
	l, ok := r.locks[key]
	if !ok {
		l = &sync.Mutex{}
		r.locks[key] = l
	}
	r.mu.Unlock()
	l.Lock()
	return l.Unlock
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
func processName(key types.NamespacedName) string { return processPrefix + folderName(key) }
