package network

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

	"golang.org/x/sys/unix"
)

// marksOf begins the name of a folder that holds a file for each cluster that has something of a way
// out on this host, and the record of what the host was like before the first. All management
// planes share it, as they share the host. It lies where nothing outlives a restart of the computer, since
// what it tells of does not either.
const marksOf = "/run/portico-egress-"

// record is the name of the record in it.
const record = "before"

// marksFolder is another one in each network namespace, which is what plays the host for a plane in
// a container or a test.
func marksFolder() (string, error) {
	name, err := os.Readlink("/proc/thread-self/ns/net") // for example net:[4026531840]
	if err != nil {
		return "", err
	}
	return marksOf + strings.Trim(strings.TrimPrefix(name, "net:"), "[]"), nil
}

// before is what the host was like before we let it forward.
type before struct {
	// Settings are those that switching changes, by their paths below /proc/sys/net/ipv4.
	Settings map[string]string `json:"settings"`
	// Translators are the packet filter chains of others that translated addresses.
	Translators []string `json:"translators,omitempty"`
}

const (
	ipv4      = "/proc/sys/net/ipv4"
	ipForward = "ip_forward"
)

// mark says whether the mark is new.
func mark(id string) (fresh bool, err error) {
	dir, err := marksFolder()
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(filepath.Join(dir, id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// unmark removes the mark, and with the last one the folder.
func unmark(id string) error {
	dir, err := marksFolder()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return removeEmpty()
}

// removeEmpty removes the folder if no mark is in it.
func removeEmpty() error {
	dir, err := marksFolder()
	if err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// marks are the clusters that have something of a way out. Where none has, fs.ErrNotExist says that
// there is not even the folder.
func marks() ([]string, error) {
	dir, err := marksFolder()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if idForm.MatchString(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// forward lets the host forward, and records first what it was like before. A record that is
// there already knows that better.
func forward(ctx context.Context) error {
	on, err := setting(ipForward)
	if err != nil || on == "1" {
		return err
	}
	dir, err := marksFolder()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, record)); errors.Is(err, fs.ErrNotExist) {
		if err := remember(ctx, filepath.Join(dir, record)); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return set(ipForward, "1")
}

// remember writes the record to file. Switching changes more than itself: each link forwards or not
// as the whole does then, and whether the host believes redirects changes too.
func remember(ctx context.Context, file string) error {
	all, err := listChains(ctx)
	if err != nil {
		return err
	}
	was := before{Settings: map[string]string{}, Translators: translators(all)}
	files, err := filepath.Glob(ipv4 + "/conf/*/forwarding")
	if err != nil {
		return err
	}
	for _, name := range append(files, ipv4+"/conf/all/accept_redirects") {
		name = strings.TrimPrefix(name, ipv4+"/")
		value, err := setting(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // the link went meanwhile
		case err != nil:
			return err
		case !strings.HasPrefix(name, "conf/"+linkPrefix):
			was.Settings[name] = value
		}
	}
	raw, err := json.Marshal(was)
	if err != nil {
		return err
	}
	// Whole or not at all.
	if err := os.WriteFile(file+".new", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// forwardNoMore puts everything back as it was, unless somebody began to rely on it meanwhile: a
// container engine that came later found a host that forwards, and has nothing recorded.
func forwardNoMore(ctx context.Context) error {
	dir, err := marksFolder()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, record)
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return forget(file)
	}
	if err != nil {
		return err
	}
	var was before
	if err := json.Unmarshal(raw, &was); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	all, err := listChains(ctx)
	if err != nil {
		return err
	}
	for _, t := range translators(all) {
		if !slices.Contains(was.Translators, t) {
			return forget(file)
		}
	}
	if err := set(ipForward, "0"); err != nil {
		return err
	}
	for name, value := range was.Settings {
		if err := set(name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return forget(file)
}

func forget(record string) error {
	for _, file := range []string{record, record + ".new"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func setting(name string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(ipv4, name))
	return strings.TrimSpace(string(raw)), err
}

// set leaves a setting alone that has the value: setting it again may change others.
func set(name, value string) error {
	if have, err := setting(name); err != nil || have == value {
		return err
	}
	return os.WriteFile(filepath.Join(ipv4, name), []byte(value), 0o644)
}
