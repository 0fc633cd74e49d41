package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"portico.dev/portico/cli"
	"portico.dev/portico/process"
)

// Down stops the plane.
func (e *embedded) Down(ctx context.Context, o cli.DownOptions) error {
	began := e.env.Now()
	before, err := e.table.List()
	if err != nil {
		return err
	}
	if err := e.stopPrograms(ctx); err != nil {
		return err
	}
	if o.Clusters {
		if err := e.stopClusters(ctx); err != nil {
			return err
		}
	}
	left, err := e.table.List()
	if err != nil {
		return err
	}
	if len(before) == len(left) {
		fmt.Fprintf(o.Talk, "Nothing of %s ran.\n", e.folder)
		return nil
	}
	fmt.Fprintf(o.Talk, "Stopped %d programs in %.1fs.\n", len(before)-len(left), e.env.Now().Sub(began).Seconds())
	if len(left) > 0 {
		fmt.Fprintf(o.Talk, "%d processes of child clusters keep running; stop them too: portico down --clusters\n", len(left))
	}
	return nil
}

// stopPrograms stops the plane's programs. A living plane stops the others itself, in order;
// the rest of the list is for those that lost theirs. plane comes again after the keeper,
// which may have started another one in between.
func (e *embedded) stopPrograms(ctx context.Context) error {
	for _, name := range []string{
		planeProgram, keeperProgram, planeProgram, addonControllerProgram, helmControllerProgram, clusterAPIProgram, managementProgram,
	} {
		if err := e.table.Stop(ctx, name, stopWithin+10*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// stopClusters stops everything that is not a program of the plane, machines before the
// control planes that they report to.
func (e *embedded) stopClusters(ctx context.Context) error {
	all, err := e.table.List()
	if err != nil {
		return err
	}
	machinesFirst := func(a, b process.Process) int {
		return strings.Compare(clusterLast(a.Name), clusterLast(b.Name))
	}
	slices.SortStableFunc(all, machinesFirst)
	for _, p := range all {
		if err := e.table.Stop(ctx, p.Name, 10*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// clusterLast is a key by which control planes come after everything else.
func clusterLast(name string) string {
	if strings.HasPrefix(name, "clusters/") {
		return "1"
	}
	return "0"
}

// Reset removes everything.
func (e *embedded) Reset(ctx context.Context, talk io.Writer) error {
	if err := e.refuseForeign(); err != nil {
		return err
	}
	if err := e.stopPrograms(ctx); err != nil {
		return err
	}
	if err := e.stopClusters(ctx); err != nil {
		return err
	}
	if err := e.removeMachines(ctx); err != nil {
		return err
	}
	lock, err := e.folder.Lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := e.removeFolder(); err != nil {
		return err
	}
	fmt.Fprintf(talk, "Removed everything of %s.\n", e.folder)
	return nil
}

// refuseForeign refuses a folder that portico has not made: it would be emptied.
func (e *embedded) refuseForeign() error {
	empty, err := e.folder.Empty()
	if err != nil || empty {
		return err
	}
	_, ours, err := e.folder.Version()
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("data folder %s was not made by portico, nothing was removed\n  name the right one: portico reset --data DIR", e.folder)
	}
	return nil
}

// removeFolder removes the data folder, unless a file system is mounted below it: whose
// files they are we cannot know.
func (e *embedded) removeFolder() error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("reading the mounts: %w", err)
	}
	if at := e.folder.MountBelow(string(mounts)); at != "" {
		return fmt.Errorf("something is mounted at %s, inside the data folder, which was not removed\n  unmount it: umount %s", at, at)
	}
	return e.folder.Remove()
}
