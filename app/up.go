package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/preflight"
	"portico.dev/portico/app/steps"
	"portico.dev/portico/cli"
	"portico.dev/portico/process"
)

// Up starts the plane.
func (e *embedded) Up(ctx context.Context, o cli.UpOptions) error {
	lock, err := e.folder.Lock()
	var inUse folder.InUse
	if errors.As(err, &inUse) {
		return e.runsAlready(ctx, o, inUse.PID)
	}
	if err != nil {
		return err
	}
	if err := e.preflight(o.Talk); err != nil {
		lock.Close()
		return err
	}
	if err := e.claim(); err != nil {
		lock.Close()
		return err
	}
	p, err := e.startPlane(lock)
	if err != nil {
		return err
	}
	if err := e.follow(ctx, p, o); err != nil {
		return err
	}
	next := "Interrupt to stop."
	if o.Detach {
		next = "It runs in the background. Look: portico status; stop it: portico down"
	}
	fmt.Fprintln(o.Talk, next)
	if o.Ready != nil {
		o.Ready(ctx)
	}
	if o.Detach {
		return nil
	}
	return e.attend(ctx, p, o.Talk)
}

// runsAlready is the answer when another process holds the folder. Who wants a plane in the
// background has it, if it is ready where it is asked for; all others have to know.
func (e *embedded) runsAlready(ctx context.Context, o cli.UpOptions, pid int) error {
	if o.Detach {
		st, err := dialSocket(e.folder).status(ctx)
		if err == nil && st.Ready && st.Server == e.server() {
			fmt.Fprintf(o.Talk, "The management plane of %s runs already, ready at %s. Look: portico status; stop it: portico down\n", e.folder, st.Server)
			if o.Ready != nil {
				o.Ready(ctx)
			}
			return nil
		}
	}
	return fmt.Errorf("the management plane of %s runs already, as process %d\n  look: portico status; stop it: portico down; start another one: portico up --data DIR --listen 127.0.0.1:8443", e.folder, pid)
}

// claim writes who uses the folder and how. The version comes first: it is by that file that a
// start and a reset know the folder as portico's.
func (e *embedded) claim() error {
	if err := e.folder.SetVersion(folder.Version{Layout: folder.Layout, Portico: e.env.Version}); err != nil {
		return err
	}
	content, err := e.cfg.Encode()
	if err != nil {
		return err
	}
	return folder.WriteFile(e.folder.Config(), content)
}

// preflight tells what keeps the plane from starting.
func (e *embedded) preflight(talk io.Writer) error {
	site := preflight.Site{Config: e.cfg, Files: e.bin.needed(), Tools: machineTools(), Now: e.env.Now(), UID: e.env.UID}
	running, err := e.table.List()
	if err != nil {
		return err
	}
	for _, p := range running {
		site.Ours = append(site.Ours, p.PID)
	}
	facts, err := preflight.Observe(site)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range preflight.Check(e.cfg, facts) {
		if p.Warning {
			fmt.Fprintf(talk, "warning: %v\n", p)
			continue
		}
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// follow shows the progress of the start and returns when it is over.
func (e *embedded) follow(ctx context.Context, p process.Process, o cli.UpOptions) error {
	show := progressPrinter{out: o.Talk, verbose: o.Verbose, server: e.server()}
	client := dialSocket(e.folder)
	for {
		err := client.progress(ctx, show.print)
		switch {
		case show.failed != "":
			return e.failure(p, show.failed)
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return e.stopAgain(o)
		case !e.table.Alive(p):
			return e.failure(p, "the plane's process ended")
		}
		time.Sleep(10 * time.Millisecond) // it does not listen yet
	}
}

// stopAgain undoes a start that was interrupted.
func (e *embedded) stopAgain(o cli.UpOptions) error {
	fmt.Fprintln(o.Talk, "Interrupted: stopping what was started.")
	if err := e.Down(context.Background(), cli.DownOptions{Talk: o.Talk}); err != nil {
		return err
	}
	return errors.New("the start was interrupted")
}

// failure waits for the end of a plane that could not start, and explains it.
func (e *embedded) failure(p process.Process, reason string) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	_ = e.table.Wait(ctx, p) // its log is the better for it, nothing else depends on it
	_ = e.stopPrograms(ctx)
	return fmt.Errorf("starting the management plane: %s\n%s  the whole log: %s", reason, tail(e.folder.Log(planeProgram)), e.folder.Log(planeProgram))
}

// tail is the last lines of a file, indented.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var out strings.Builder
	for _, l := range lines[max(0, len(lines)-5):] {
		fmt.Fprintf(&out, "  | %s\n", l)
	}
	return out.String()
}

// attend stays until the plane was stopped; the end of ctx stops it.
func (e *embedded) attend(ctx context.Context, p process.Process, talk io.Writer) error {
	for {
		if err := e.table.Wait(ctx, p); err != nil {
			return e.Down(context.Background(), cli.DownOptions{Talk: talk})
		}
		next, ok := e.successor(ctx)
		if !ok {
			fmt.Fprintln(talk, "The management plane was stopped.")
			return nil
		}
		fmt.Fprintf(talk, "The plane's process ended and was started again (%d, before %d).\n", next.PID, p.PID)
		p = next
	}
}

// successor waits for the plane that the keeper starts; none comes if the keeper is gone,
// since the plane was stopped then.
func (e *embedded) successor(ctx context.Context) (process.Process, bool) {
	for {
		if p, ok, err := e.table.Find(planeProgram); err == nil && ok {
			return p, true
		}
		if _, ok, err := e.table.Find(keeperProgram); err != nil || !ok || ctx.Err() != nil {
			return process.Process{}, false
		}
		time.Sleep(50 * time.Millisecond) // the keeper waits as long before it starts one
	}
}

// progressPrinter shows the events of a start to a person.
type progressPrinter struct {
	out     io.Writer
	verbose bool
	server  string
	failed  string
}

func (s *progressPrinter) print(e steps.Event) {
	at := fmt.Sprintf("%5.1fs", e.At.Seconds())
	switch {
	case e.Step == wholeStart && e.Phase == steps.Done:
		fmt.Fprintf(s.out, "%s  ready at %s\n", at, s.server)
	case e.Step == wholeStart:
		s.failed = e.Error
	case e.Phase == steps.Done && s.verbose:
		fmt.Fprintf(s.out, "%s  %-32s took %.2fs\n", at, e.Step, e.Took.Seconds())
	case e.Phase == steps.Done && e.Took >= shown:
		fmt.Fprintf(s.out, "%s  %s\n", at, e.Step)
	case e.Phase == steps.Began && s.verbose:
		fmt.Fprintf(s.out, "%s  %-32s begins\n", at, e.Step)
	}
}

// shown is how long a step has to take to be worth a line.
const shown = 50 * time.Millisecond
