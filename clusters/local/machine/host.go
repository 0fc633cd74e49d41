package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"portico.dev/portico/clusters/local/cgroup"
	"portico.dev/portico/clusters/local/guest"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/process"
)

// Host is the computer that machines are made on. Its methods may be called by many goroutines
// at once for different machines.
type Host struct {
	// Dir holds a folder for each machine. It is absolute.
	Dir string
	// Program is the portico-machine to start.
	Program string
	// Processes are the programs of this management plane.
	Processes process.Table
	// Network is where machines are connected.
	Network network.Host
}

// Status is how a machine stands.
type Status struct {
	// Process is the parent of the machine's PID 1.
	Process process.Process
	// Started says whether Ensure started it, rather than found it running.
	Started bool
}

// Ensure makes the machine run as the specification says. A machine that runs is adopted: files
// that changed are written and the programs that must read them again do so.
func (h Host) Ensure(ctx context.Context, s Spec) (Status, error) {
	if err := s.validate(); err != nil {
		return Status{}, err
	}
	files, err := s.files()
	if err != nil {
		return Status{}, fmt.Errorf("describing machine %s: %w", s.ID, err)
	}
	changed, err := writeFiles(h.folder(s.ID), files)
	if err != nil {
		return Status{}, fmt.Errorf("writing the files of machine %s: %w", s.ID, err)
	}
	namespace, err := h.ensureNetwork(ctx, s)
	if err != nil {
		return Status{}, err
	}
	p, running, err := h.Find(s.ID)
	if err != nil {
		return Status{}, err
	}
	if err := h.ensureGroup(ctx, s, running); err != nil {
		return Status{}, err
	}
	if running {
		return Status{Process: p}, h.tell(p, changed)
	}
	return h.start(s, namespace)
}

// ensureGroup makes the machine's control group, anew for one that is to be started: that ends
// what a killed predecessor left, and a group that has had pods' groups cannot be joined again.
func (h Host) ensureGroup(ctx context.Context, s Spec, running bool) error {
	group, err := h.group(s.ID)
	if err != nil {
		return err
	}
	if !running {
		if err := removeGroup(ctx, group); err != nil {
			return err
		}
	}
	return group.Ensure(cgroup.Limits{CPUs: s.CPUs, MemoryMiB: s.MemoryMiB})
}

// removeGroup gives up after a while: a process that hangs in the kernel cannot be killed, and
// whoever called us has other machines to look after.
func removeGroup(ctx context.Context, group cgroup.Group) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return group.Remove(ctx)
}

// start runs the machine's first process.
func (h Host) start(s Spec, namespace string) (Status, error) {
	p, err := h.Processes.Start(process.Spec{
		Name:  processName(s.ID),
		Path:  h.Program,
		Args:  []string{"run", h.folder(s.ID)},
		Log:   h.log(s.ID),
		Netns: namespace,
	})
	if err != nil {
		return Status{}, fmt.Errorf("starting machine %s: %w", s.ID, err)
	}
	return Status{Process: p, Started: true}, nil
}

func (h Host) ensureNetwork(ctx context.Context, s Spec) (string, error) {
	namespace, err := h.Network.EnsureMachine(ctx, network.Machine{Cluster: s.ClusterID, Name: s.ID, IP: s.IP, Gateway: s.Gateway})
	if err != nil {
		return "", err
	}
	routes := []network.Route{{To: s.PodCIDR, Via: s.IP}, {To: s.ClusterCIDR}, {To: s.ServiceCIDR}}
	for _, r := range routes {
		if err := h.Network.EnsureRoute(ctx, s.ClusterID, r); err != nil {
			return "", err
		}
	}
	return namespace, nil
}

// tell lets a running machine know that its configuration changed, if it has to act on it.
func (h Host) tell(p process.Process, changed []string) error {
	if !slices.Contains(changed, guest.MachineFile) && !slices.Contains(changed, guest.KubeProxyKubeconfig) {
		return nil
	}
	if err := h.Processes.Signal(p, unix.SIGHUP); err != nil {
		return fmt.Errorf("telling %s of its new configuration: %w", p.Name, err)
	}
	return nil
}

// Find returns the machine's process, if it runs.
func (h Host) Find(id string) (process.Process, bool, error) {
	return h.Processes.Find(processName(id))
}

// Wait returns when the machine has ended, or with ctx's error. A machine that does not run has
// ended.
func (h Host) Wait(ctx context.Context, id string) error {
	p, ok, err := h.Find(id)
	if err != nil || !ok {
		return err
	}
	return h.Processes.Wait(ctx, p)
}

// LastWords is the last line that the machine's first process logged; empty if there is none.
func (h Host) LastWords(id string) string { return lastLine(h.log(id)) }

// Remove ends the machine and removes everything of it. Removing what is not there is no error.
func (h Host) Remove(ctx context.Context, id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("machine identity %q: want up to 100 lower case letters, digits and hyphens", id)
	}
	// No grace: what the machine holds goes with it, and its pods were drained before.
	if err := h.Processes.Stop(ctx, processName(id), 0); err != nil {
		return err
	}
	group, err := h.group(id)
	if err != nil {
		return err
	}
	if err := removeGroup(ctx, group); err != nil {
		return err
	}
	if err := h.removeNetwork(ctx, id); err != nil {
		return fmt.Errorf("disconnecting machine %s: %w", id, err)
	}
	// Last, since it says which cluster the machine was of.
	if err := removeFolder(h.folder(id)); err != nil {
		return err
	}
	return h.prove(id)
}

func (h Host) removeNetwork(ctx context.Context, id string) error {
	clusters, err := h.Network.FindMachine(id)
	if err != nil {
		return err
	}
	var c guest.Config
	if raw, err := os.ReadFile(filepath.Join(h.folder(id), guest.MachineFile)); err == nil && json.Unmarshal(raw, &c) == nil {
		if err := h.Network.RemoveRoute(ctx, c.Cluster, c.PodCIDR); err != nil {
			return err
		}
		clusters = append(clusters, c.Cluster)
	}
	for _, cluster := range clusters {
		if err := h.Network.RemoveMachine(ctx, cluster, id); err != nil {
			return err
		}
	}
	return nil
}

// prove looks whether anything of the machine is left.
func (h Host) prove(id string) error {
	left, err := h.Left(id)
	if err != nil || len(left) == 0 {
		return err
	}
	return fmt.Errorf("removing machine %s: still there: %s", id, strings.Join(left, ", "))
}

// Left names everything of a machine that exists, sorted by kind.
func (h Host) Left(id string) ([]string, error) {
	var left []string
	p, ok, err := h.Find(id)
	if err != nil {
		return nil, err
	}
	if ok {
		left = append(left, fmt.Sprintf("process %d", p.PID))
	}
	group, err := h.group(id)
	if err != nil {
		return nil, err
	}
	left = append(left, group.Left()...)
	clusters, err := h.Network.FindMachine(id)
	if err != nil {
		return nil, err
	}
	for _, c := range clusters {
		left = append(left, "network namespace of cluster "+c)
	}
	if _, err := os.Stat(h.folder(id)); err == nil {
		left = append(left, h.folder(id))
	}
	return left, nil
}

// List returns the identities of the machines that have a folder or a process, sorted.
func (h Host) List() ([]string, error) {
	var out []string
	entries, err := os.ReadDir(h.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing machines: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && idForm.MatchString(e.Name()) {
			out = append(out, e.Name())
		}
	}
	running, err := h.Processes.List()
	if err != nil {
		return nil, fmt.Errorf("listing machines: %w", err)
	}
	for _, p := range running {
		if id, ok := strings.CutPrefix(p.Name, processPrefix); ok {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

const processPrefix = "machines/"

func processName(id string) string { return processPrefix + id }

func (h Host) folder(id string) string { return filepath.Join(h.Dir, id) }

func (h Host) log(id string) string {
	return filepath.Join(h.folder(id), guest.LogDir, "machine.log")
}

func (h Host) group(id string) (cgroup.Group, error) {
	in, err := cgroup.Hierarchies()
	return cgroup.Group{Name: id, In: in}, err
}
