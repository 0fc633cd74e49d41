package localcluster

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// linkPrefix is how package network begins the name of the link that joins the host to a cluster.
const linkPrefix = "pt"

// TakenOnHost looks which indexes and ports are in use on this computer: networks that links
// other than the cluster's own have addresses in, and TCP ports that are listened on.
func TakenOnHost(id string) (indexes, ports []int32, err error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, nil, fmt.Errorf("listing the links of this computer: %w", err)
	}
	for _, link := range links {
		if link.Name == linkPrefix+id {
			continue
		}
		addresses, err := link.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addresses {
			if ip, ok := a.(*net.IPNet); ok {
				if four := ip.IP.To4(); four != nil && four[0] == 10 && four[1] == 213 {
					indexes = append(indexes, int32(four[2]))
				}
			}
		}
	}
	for _, file := range []string{"tcp", "tcp6"} {
		// Not /proc/net, which is what the main thread sees, whichever namespace that is in.
		more, err := listening(filepath.Join("/proc/thread-self/net", file))
		if err != nil {
			return nil, nil, err
		}
		ports = append(ports, more...)
	}
	return indexes, ports, nil
}

// listening reads the ports of sockets in state LISTEN from a table in the form of proc_net(5).
func listening(path string) ([]int32, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without IPv6
	}
	if err != nil {
		return nil, fmt.Errorf("listing the ports in use: %w", err)
	}
	defer f.Close()
	var out []int32
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		_, port, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseInt(port, 16, 32); err == nil {
			out = append(out, int32(n))
		}
	}
	return out, nil
}
