package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Remove removes the folder with all that is in it, the version and the lock last: a folder
// whose removal was interrupted must still say that it is portico's, or neither a start nor
// another removal would touch it. One that is itself a mount point stays, empty.
func (f Folder) Remove() error {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing data folder %s: %w", f, err)
	}
	for _, e := range entries {
		if e.Name() == "version" || e.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(f.path(e.Name())); err != nil {
			return fmt.Errorf("removing data folder %s: %w", f, err)
		}
	}
	for _, file := range []string{"version", "lock"} {
		if err := os.RemoveAll(f.path(file)); err != nil {
			return fmt.Errorf("removing data folder %s: %w", f, err)
		}
	}
	if err := os.Remove(string(f)); err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("removing data folder %s: %w", f, err)
	}
	return nil
}

// MountBelow returns a mount point below the folder, from the text of mountinfo
// (proc_pid_mountinfo(5)); empty if there is none.
func (f Folder) MountBelow(mountinfo string) string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if at := unescape.Replace(fields[4]); strings.HasPrefix(at, string(f)+"/") {
			return at
		}
	}
	return ""
}
