package preflight

import (
	"fmt"
	"strings"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/config"
)

// Problem is something that makes a start fail, or that the user should know.
type Problem struct {
	// What is wrong, with the object's name.
	What string
	// Next is what the user can do.
	Next string
	// Warning says that a start can go on.
	Warning bool
}

// Error is what is wrong, and on the next line what to do.
func (p Problem) Error() string { return p.What + "\n  " + p.Next }

// Facts are what Observe found.
type Facts struct {
	// Empty says that the data folder has nothing in it, Used that it has a version file,
	// whose content is Version.
	Empty, Used bool
	Version     folder.Version
	// Free are the bytes that are free where the data folder is or will be.
	Free uint64
	// Taken are the wanted ports on which something listens that is not ours.
	Taken []Taken
	// MissingFiles are built files that are not there, MissingTools programs of the system.
	MissingFiles []string
	MissingTools []Tool
	// Root says whether we are root.
	Root bool
	// Now is the clock's time, Authority the time from which the plane's certificates count; zero if there are none.
	Now, Authority time.Time
}

// Taken is a port on which somebody listens.
type Taken struct {
	config.NamedPort
	// PID and Program are the listener's; 0 and empty if it cannot be seen.
	PID     int
	Program string
}

// Tool is a program of the system, with the Debian package that has it.
type Tool struct{ Name, Package string }

const (
	leastFree = 512 << 20
	goodFree  = 4 << 30
)

// released is a time at which no clock can stand any more.
var released = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Check returns what keeps c from starting, errors before warnings.
func Check(c config.Config, f Facts) []Problem {
	var all []Problem
	for _, check := range []func(config.Config, Facts) []Problem{files, data, disk, ports, clock, machines, room} {
		all = append(all, check(c, f)...)
	}
	return all
}

func files(_ config.Config, f Facts) []Problem {
	if len(f.MissingFiles) == 0 {
		return nil
	}
	return []Problem{{What: "not built: " + strings.Join(f.MissingFiles, ", "), Next: "build it: make build"}}
}

func data(c config.Config, f Facts) []Problem {
	if f.Used && f.Version.Layout != folder.Layout {
		return []Problem{{
			What: fmt.Sprintf("data folder %s has layout %d (made by portico %s), this program knows layout %d", c.Data, f.Version.Layout, f.Version.Portico, folder.Layout),
			Next: "use that version of portico, or another folder: portico up --data DIR",
		}}
	}
	if !f.Used && !f.Empty {
		return []Problem{{
			What: fmt.Sprintf("data folder %s has files in it that are not portico's", c.Data),
			Next: "use an empty or new folder: portico up --data DIR",
		}}
	}
	return nil
}

func disk(c config.Config, f Facts) []Problem {
	if f.Free >= leastFree {
		return nil
	}
	return []Problem{{
		What: fmt.Sprintf("%d MiB are free for data folder %s, at least %d are needed", f.Free>>20, c.Data, leastFree>>20),
		Next: "free some, or use a folder on another disk: portico up --data DIR",
	}}
}

func ports(_ config.Config, f Facts) []Problem {
	var all []Problem
	for _, t := range f.Taken {
		who := "a program that cannot be seen from here, such as one of another user"
		if t.PID != 0 {
			who = fmt.Sprintf("%s (pid %d)", t.Program, t.PID)
		}
		all = append(all, Problem{
			What: fmt.Sprintf("port %d (%s) is taken by %s", t.Port, t.For, who),
			Next: "end that program, or use other ports: portico up --listen 127.0.0.1:8443",
		})
	}
	return all
}

func clock(_ config.Config, f Facts) []Problem {
	wrong := Problem{What: fmt.Sprintf("the clock says %s, which cannot be", f.Now.UTC().Format(time.RFC3339)), Next: "set the clock: certificates would not be valid"}
	if f.Now.Before(released) {
		return []Problem{wrong}
	}
	if f.Now.Before(f.Authority) {
		wrong.What += fmt.Sprintf(": this folder's certificates count from %s", f.Authority.UTC().Format(time.RFC3339))
		return []Problem{wrong}
	}
	return nil
}

func machines(c config.Config, f Facts) []Problem {
	if c.Machines.Kind == config.MachinesVirtual {
		return nil
	}
	if !f.Root {
		return []Problem{{
			What:    "real machines need root: clusters can have virtual machines only, which pretend to run pods",
			Next:    "run portico as root for real ones, or say machines: {kind: Virtual} in " + config.File,
			Warning: c.Machines.Kind == config.MachinesAuto,
		}}
	}
	if len(f.MissingTools) == 0 {
		return nil
	}
	var names, packages []string
	for _, t := range f.MissingTools {
		names, packages = append(names, t.Name), append(packages, t.Package)
	}
	return []Problem{{
		What:    "real machines need programs that are not installed: " + strings.Join(names, ", "),
		Next:    "on Debian or Ubuntu: apt-get install " + strings.Join(packages, " "),
		Warning: c.Machines.Kind == config.MachinesAuto,
	}}
}

func room(c config.Config, f Facts) []Problem {
	if f.Free < leastFree || f.Free >= goodFree {
		return nil
	}
	return []Problem{{
		What:    fmt.Sprintf("%d MiB are free for data folder %s: enough to start, little for clusters", f.Free>>20, c.Data),
		Next:    "each real machine takes about 200 MiB",
		Warning: true,
	}}
}
