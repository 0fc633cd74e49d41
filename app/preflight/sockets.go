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
)

// listening returns the ports on which a listener would collide with one on host, each with
// the inode of its socket, from /proc/net/tcp and tcp6 (proc_net_tcp(5)).
func listening(host string) (map[int]string, error) {
	ports := map[int]string{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("reading the listening ports: %w", err)
		}
		for line := range strings.Lines(string(b)) {
			if port, inode, ok := listener(line, net.ParseIP(host)); ok {
				ports[port] = inode
			}
		}
	}
	return ports, nil
}

const stateListen = "0A"

func listener(line string, host net.IP) (port int, inode string, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != stateListen {
		return 0, "", false
	}
	address, text, _ := strings.Cut(fields[1], ":")
	ip, err := hex.DecodeString(address)
	if err != nil {
		return 0, "", false
	}
	for word := range slices.Chunk(ip, 4) {
		slices.Reverse(word) // each word is in the machine's order, which is little-endian
	}
	if at := net.IP(ip); !at.IsUnspecified() && !host.IsUnspecified() && !at.Equal(host) {
		return 0, "", false
	}
	p, err := strconv.ParseUint(text, 16, 16)
	return int(p), fields[9], err == nil
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
