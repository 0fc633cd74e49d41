package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// letThrough has the chains of others let the cluster's packets through, for example those of a
// container engine, which drops whatever is not its own.
func letThrough(ctx context.Context, id string) error {
	return eachInTheWay(ctx, func(c chain, listing string) string {
		return pass(c, parseRules(listing, id), id)
	}, func(listing string) [][]string { return legacyPass(listing, id) })
}

func letThroughNoMore(ctx context.Context, id string) error {
	err := eachInTheWay(ctx, func(c chain, listing string) string {
		return passNoMore(c, parseRules(listing, id))
	}, func(listing string) [][]string { return legacyPassNoMore(listing, id) })
	if errors.Is(err, errNoLegacyProgram) {
		return nil // without it no rule was made either
	}
	return err
}

var errNoLegacyProgram = errors.New("this computer has rules of the older iptables, and its program iptables-legacy is missing: install it")

// eachInTheWay changes the chains that packets of clusters have to pass as the two functions say.
func eachInTheWay(ctx context.Context, change func(c chain, listing string) string, legacy func(listing string) [][]string) error {
	all, err := listChains(ctx)
	if err != nil {
		return err
	}
	for _, c := range inTheWay(all) {
		listing, err := output(ctx, "nft", "-a", "list", "chain", c.Family, c.Table, c.Name)
		if err != nil {
			return fmt.Errorf("reading the packet filter chain %s: %w", c, err)
		}
		changes := change(c, listing)
		if changes == "" {
			continue
		}
		if err := load(ctx, changes); err != nil {
			return fmt.Errorf("changing the packet filter chain %s: %w", c, err)
		}
	}
	return changeLegacy(ctx, legacy)
}

// changeLegacy is for hosts whose iptables is of the older kind, of which nft does not know.
// Without one in use it calls nothing: even a look would load the kernel's module.
func changeLegacy(ctx context.Context, change func(listing string) [][]string) error {
	tables, err := os.ReadFile("/proc/thread-self/net/ip_tables_names")
	if errors.Is(err, fs.ErrNotExist) || !slices.Contains(strings.Fields(string(tables)), "filter") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing the tables of iptables: %w", err)
	}
	program, err := legacyProgram(ctx)
	if err != nil {
		return err
	}
	listing, err := output(ctx, program, "-w", "-S", "FORWARD")
	if err != nil {
		return fmt.Errorf("reading the chain FORWARD: %w", err)
	}
	for _, args := range change(listing) {
		if _, err := output(ctx, program, append([]string{"-w"}, args...)...); err != nil {
			return fmt.Errorf("changing the chain FORWARD: %w", err)
		}
	}
	return nil
}

func legacyProgram(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("iptables-legacy"); err == nil {
		return path, nil
	}
	version, err := output(ctx, "iptables", "-V")
	if err != nil || strings.Contains(version, "nf_tables") {
		return "", errNoLegacyProgram
	}
	return "iptables", nil
}

func listChains(ctx context.Context) ([]chain, error) {
	text, err := output(ctx, "nft", "list", "chains")
	if err != nil {
		return nil, fmt.Errorf("listing the packet filter's chains: %w", err)
	}
	return parseChains(text), nil
}

// load executes nft's commands as one transaction.
func load(ctx context.Context, commands string) error {
	_, err := run(ctx, commands, "nft", "-f", "-")
	return err
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	return run(ctx, "", name, args...)
}

// run gives a program that hangs no chance to keep the lock.
func run(ctx context.Context, input, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.Join(strings.Fields(talk.String()), " "))
	}
	return string(out), nil
}
