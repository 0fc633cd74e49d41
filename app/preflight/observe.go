package preflight

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/config"
)

// Site is where Observe looks.
type Site struct {
	Config config.Config
	// Files have to be there, Tools have to be found in the search path.
	Files []string
	Tools []Tool
	// Ours are the pids whose ports do not count as taken: programs that will be adopted.
	Ours []int
	// Now is the clock's time, UID the user's number.
	Now time.Time
	UID int
}

// Observe looks at everything that Check wants to know.
func Observe(s Site) (Facts, error) {
	f := Facts{Root: s.UID == 0, Now: s.Now}
	data := folder.Folder(s.Config.Data)
	var err error
	if f.Empty, err = data.Empty(); err != nil {
		return f, err
	}
	if f.Version, f.Used, err = data.Version(); err != nil {
		return f, err
	}
	if f.Free, err = space(s.Config.Data); err != nil {
		return f, err
	}
	for _, file := range s.Files {
		if _, err := os.Stat(file); err != nil {
			f.MissingFiles = append(f.MissingFiles, file)
		}
	}
	for _, tool := range s.Tools {
		if _, err := exec.LookPath(tool.Name); err != nil {
			f.MissingTools = append(f.MissingTools, tool)
		}
	}
	f.Authority = notBefore(filepath.Join(data.Management(), "pki", "ca.crt"))
	f.Taken, err = taken(s)
	return f, err
}

// space asks for the nearest folder above path that is there.
func space(path string) (uint64, error) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(path, &st)
		if err == nil {
			return st.Bavail * uint64(st.Bsize), nil
		}
		if parent := filepath.Dir(path); err == unix.ENOENT && parent != path {
			path = parent
			continue
		}
		return 0, fmt.Errorf("measuring the free space of %s: %w", path, err)
	}
}

func notBefore(file string) time.Time {
	b, err := os.ReadFile(file)
	if err != nil {
		return time.Time{}
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return time.Time{}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return cert.NotBefore
}

// taken looks again for two seconds while a port is taken by nobody whom one can see: the
// socket of a program that was just killed can be there for a moment longer than the program.
func taken(s Site) ([]Taken, error) {
	for left := 20; ; left-- {
		all, err := takenNow(s)
		nobodys := slices.ContainsFunc(all, func(t Taken) bool { return t.PID == 0 })
		if err != nil || !nobodys || left == 0 {
			return all, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func takenNow(s Site) ([]Taken, error) {
	sockets, err := listening()
	if err != nil {
		return nil, err
	}
	var all []Taken
	for _, want := range s.Config.Ports().Named() {
		i := slices.IndexFunc(sockets, func(have socket) bool { return have.collides(want) })
		if i < 0 {
			continue
		}
		pid, program := owner(sockets[i].inode)
		if slices.Contains(s.Ours, pid) || pid == 0 && free(want) {
			continue
		}
		all = append(all, Taken{NamedPort: want, PID: pid, Program: program})
	}
	return all, nil
}
