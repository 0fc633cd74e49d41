package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"portico.dev/portico/config"
)

// Layout is the version of the folder's layout that this program reads and writes.
const Layout = 1

// Folder is the path of a data folder, absolute.
type Folder string

// Management is the directory of the management control plane.
func (f Folder) Management() string { return f.path("management") }

// Kubeconfig is the administrator's kubeconfig of the management plane.
func (f Folder) Kubeconfig() string { return filepath.Join(f.Management(), "kubeconfig") }

// Clusters holds a directory for each hosted control plane.
func (f Folder) Clusters() string { return f.path("clusters") }

// Machines holds a directory for each machine.
func (f Folder) Machines() string { return f.path("machines") }

// Networks holds a file for each network of a cluster.
func (f Folder) Networks() string { return f.path("networks") }

// Artifacts holds the fetched sources.
func (f Folder) Artifacts() string { return f.path("artifacts") }

// Engine is the home of a program that an engine has at work.
func (f Folder) Engine(program string) string { return f.path("engines", program) }

// Identity is the directory of the certificates of one program of the plane.
func (f Folder) Identity(program string) string { return f.path("identities", program) }

// Logs holds one file per program.
func (f Folder) Logs() string { return f.path("log") }

// Log is the log file of one program.
func (f Folder) Log(program string) string { return filepath.Join(f.Logs(), program+".log") }

// Config is the configuration in force, as the last `portico up` wrote it.
func (f Folder) Config() string { return f.path(config.Started) }

// Socket is where the plane answers the command line.
func (f Folder) Socket() string { return f.path("plane.sock") }

func (f Folder) path(names ...string) string {
	return filepath.Join(append([]string{string(f)}, names...)...)
}

// InUse says that another process holds the folder.
type InUse struct {
	Folder Folder
	// PID is the holder's process number, 0 if it could not be read.
	PID int
}

// Error names the folder and its holder.
func (e InUse) Error() string {
	return fmt.Sprintf("data folder %s is in use by process %d", e.Folder, e.PID)
}

// Lock makes the folder if needed and takes hold of it; the returned file is the hold, and
// passes with its descriptor to a started process. The error is InUse if another holds it.
func (f Folder) Lock() (*os.File, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, fmt.Errorf("making data folder %s: %w", f, err)
	}
	file, err := os.OpenFile(f.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of data folder %s: %w", f, err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer file.Close()
		return nil, InUse{Folder: f, PID: f.Holder()}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("locking data folder %s: %w", f, err)
	}
	return file, nil
}

// Sign writes pid into the lock for others to read.
func Sign(lock *os.File, pid int) error {
	if err := lock.Truncate(0); err != nil {
		return fmt.Errorf("signing %s: %w", lock.Name(), err)
	}
	if _, err := lock.WriteAt([]byte(strconv.Itoa(pid)+"\n"), 0); err != nil {
		return fmt.Errorf("signing %s: %w", lock.Name(), err)
	}
	return nil
}

// Holder is the pid that signed the lock last, whether or not it still runs.
func (f Folder) Holder() int {
	b, err := os.ReadFile(f.path("lock"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// Version tells who made a folder.
type Version struct {
	// Layout is the layout's version.
	Layout int `json:"layout"`
	// Portico is the version of the program that used the folder last.
	Portico string `json:"portico"`
}

// Version reads the folder's version; ok is false for a folder that portico has not used.
func (f Folder) Version() (v Version, ok bool, err error) {
	b, err := os.ReadFile(f.path("version"))
	if errors.Is(err, fs.ErrNotExist) {
		return Version{}, false, nil
	}
	if err != nil {
		return Version{}, false, fmt.Errorf("reading the version of data folder %s: %w", f, err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return Version{}, false, fmt.Errorf("reading the version of data folder %s: %w", f, err)
	}
	return v, true, nil
}

// SetVersion records who uses the folder.
func (f Folder) SetVersion(v Version) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return WriteFile(f.path("version"), append(b, '\n'))
}

// Empty says whether nothing is in the folder but its lock, the user's configuration, and a
// version that was not written to its end, or no folder is there.
func (f Folder) Empty() (bool, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading data folder %s: %w", f, err)
	}
	for _, e := range entries {
		if e.Name() != "lock" && e.Name() != config.File && !strings.HasPrefix(e.Name(), ".version.") {
			return false, nil
		}
	}
	return true, nil
}
