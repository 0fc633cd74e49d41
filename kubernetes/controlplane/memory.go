package controlplane

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// settleWithin is how long the controllers take to fill their caches, amply.
const settleWithin = 15 * time.Second

// handBack gives memory back to the system that starting, and the first services after it, leave
// behind as garbage: an idle cluster would take hours to collect it. Later it does so now and then,
// for a busy day leaves garbage as well.
func handBack(ctx context.Context) {
	const rest = 10 * time.Minute
	for pause := settleWithin; ; pause = min(2*pause, rest) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		debug.FreeOSMemory()
		if err := unmapProgram(); err != nil {
			klog.ErrorS(err, "Handing back the pages of the program")
		}
	}
}

// unmapProgram lets go of those pages of the program's own file that are mapped into this process:
// most were needed by the start alone. What is used again is mapped again, one cheap fault at a time,
// from the file's copy in memory that all control planes share.
func unmapProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("reading what is mapped: %w", err)
	}
	for line := range strings.Lines(string(maps)) {
		from, to, ok := readOnly(line, program)
		if !ok {
			continue
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("letting go of %x-%x: %w", from, to, errno)
		}
	}
	return nil
}

// readOnly parses a line of proc_pid_maps(5), and says whether it is about a part of the file that
// the process cannot have changed. Only such pages come back as they were.
func readOnly(line, file string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || !strings.HasPrefix(fields[1], "r-") || fields[1][3] != 'p' || strings.Join(fields[5:], " ") != file {
		return 0, 0, false
	}
	if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
		return 0, 0, false
	}
	return from, to, true
}
