package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"portico.dev/portico/app/supervise"
	"portico.dev/portico/cli"
)

// Status asks the running plane, and adds what the process table tells without it.
func (e *embedded) Status(ctx context.Context) (cli.Status, error) {
	st, err := dialSocket(e.folder).status(ctx)
	if err != nil && !noPlane(err) {
		return cli.Status{}, fmt.Errorf("asking the plane of %s: %w\n  its log: %s; end it: portico down", e.folder, err, e.folder.Log(planeProgram))
	}
	st.Data, st.Server = string(e.folder), e.server()
	if st.Programs == nil {
		st.Programs = []cli.Program{}
	}
	running, err := e.table.List()
	if err != nil {
		return cli.Status{}, err
	}
	for _, p := range running {
		if !slices.ContainsFunc(st.Programs, func(known cli.Program) bool { return known.Name == p.Name }) {
			st.Programs = append(st.Programs, cli.Program{Name: p.Name, State: "Running", PID: p.PID})
		}
	}
	for i, p := range st.Programs {
		if p.PID != 0 {
			st.Programs[i].Memory, st.Programs[i].PrivateMemory = memory(p.PID)
		}
	}
	return st, nil
}

// noPlane says whether err means that nobody listens on the socket.
func noPlane(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// status is what the plane itself knows.
func (p *plane) status(ctx context.Context) cli.Status {
	st := cli.Status{Version: p.env.Version, Server: p.server(), Ready: true}
	own := cli.Program{Name: planeProgram, State: string(supervise.Ready), PID: os.Getpid(), Since: p.began}
	if !p.journal.over() {
		own.State, own.Reason = string(supervise.Starting), "the start is not over"
	}
	st.Programs = append(st.Programs, own)
	for _, s := range p.supervisor.States(ctx) {
		st.Programs = append(st.Programs, cli.Program{
			Name: s.Name, State: string(s.Phase), PID: s.PID, Since: s.Since, Restarts: s.Restarts, Reason: s.Reason,
		})
	}
	for _, program := range st.Programs {
		st.Ready = st.Ready && program.State == string(supervise.Ready)
	}
	return st
}

// memory returns the resident and the private memory of a process in bytes.
func memory(pid int) (resident, private int64) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return 0, 0 // it ended, or is another user's
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "Rss:":
			resident = kib << 10
		case "Private_Clean:", "Private_Dirty:":
			private += kib << 10
		}
	}
	return resident, private
}
