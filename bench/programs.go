package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ownPrograms are the programs of the plane itself.
var ownPrograms = []string{"plane", "keeper", "management", "cluster-api"}

func ownProgram(name string) bool { return slices.Contains(ownPrograms, name) }

func controlPlane(name string) bool { return strings.HasPrefix(name, "clusters/") }

func everyProgram(string) bool { return true }

func named(wanted string) func(string) bool {
	return func(name string) bool { return name == wanted }
}

// memory is the resident memory in MiB of the programs with such names, and how many they are.
func (b *bench) memory(ctx context.Context, such func(string) bool) (mebibytes float64, count int, err error) {
	st, err := b.Status(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, p := range st.Programs {
		if such(p.Name) {
			mebibytes += float64(p.Memory) / (1 << 20)
			count++
		}
	}
	if count == 0 {
		return 0, 0, fmt.Errorf("measuring memory: no such program runs: %+v", st.Programs)
	}
	return mebibytes, count, nil
}

// processorTime is the seconds of processor time that the programs with such names have taken so
// far, by name. A program that was started anew meanwhile begins at nothing.
func (b *bench) processorTime(such func(string) bool) (map[string]float64, error) {
	all, err := b.Processes()
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for _, p := range all {
		if !such(p.Name) {
			continue
		}
		took, err := processorTime(p.PID)
		if err != nil {
			return nil, fmt.Errorf("reading the processor time of %s: %w", p.Name, err)
		}
		out[p.Name] += took
	}
	return out, nil
}

// processorTime is what a process has taken so far in user and system mode, in seconds.
func processorTime(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Fields 14 and 15 of proc_pid_stat(5), in hundredths; the name before them may hold spaces.
	fields, sum := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])), 0.0
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		sum += ticks / 100
	}
	return sum, nil
}
