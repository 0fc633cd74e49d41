package preflight

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"portico.dev/portico/config"
)

// socket is one that listens.
type socket struct {
	address net.IP
	port    int
	inode   string
}

// collides says whether want cannot be listened on beside s.
func (s socket) collides(want config.NamedPort) bool {
	host := net.ParseIP(want.Host)
	return s.port == want.Port && (s.address.IsUnspecified() || host.IsUnspecified() || s.address.Equal(host))
}

// listening returns the sockets that listen, from /proc/net/tcp and tcp6 (proc_net_tcp(5)).
func listening() ([]socket, error) {
	var all []socket
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("reading the listening ports: %w", err)
		}
		for line := range strings.Lines(string(b)) {
			if s, ok := listener(line); ok {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

const stateListen = "0A"

func listener(line string) (socket, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != stateListen {
		return socket{}, false
	}
	address, text, _ := strings.Cut(fields[1], ":")
	ip, err := hex.DecodeString(address)
	if err != nil {
		return socket{}, false
	}
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word) // each word is in the machine's order, which is little-endian
	}
	port, err := strconv.ParseUint(text, 16, 16)
	return socket{address: ip, port: int(port), inode: fields[9]}, err == nil
}

// free says whether the kernel lets us listen there, which is what a start will do.
func free(want config.NamedPort) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(want.Host, strconv.Itoa(want.Port)))
	if err == nil {
		l.Close()
	}
	return !errors.Is(err, unix.EADDRINUSE)
}

// owner finds the process that has the socket open, if we may look.
func owner(inode string) (pid int, program string) {
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, file := range files {
		if target, err := os.Readlink(file); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		process := strings.Split(file, "/")[2]
		pid, _ := strconv.Atoi(process)
		name, _ := os.ReadFile(filepath.Join("/proc", process, "comm"))
		return pid, strings.TrimSpace(string(name))
	}
	return 0, ""
}
