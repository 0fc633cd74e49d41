package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// machineID is the machine's /etc/machine-id: the same after each boot, and no other machine's.
func machineID(id string) string {
	sum := sha256.Sum256([]byte("portico machine " + id))
	return hex.EncodeToString(sum[:16])
}

// resize is /proc/meminfo of a host with that much memory, all of it free.
func resize(meminfo string, mib int) string {
	lines := strings.SplitAfter(meminfo, "\n")
	for i, line := range lines {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "MemTotal", "MemFree", "MemAvailable":
			lines[i] = fmt.Sprintf("%-15s %8d kB\n", name+":", mib*1024)
		case "SwapTotal", "SwapFree":
			lines[i] = fmt.Sprintf("%-15s %8d kB\n", name+":", 0)
		}
	}
	return strings.Join(lines, "")
}
