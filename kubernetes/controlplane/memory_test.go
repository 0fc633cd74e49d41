package controlplane

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestReadOnly(t *testing.T) {
	for _, tc := range []struct {
		why, line string
		ok        bool
	}{
		{"Code is never changed.", "00400000-05a4b000 r-xp 00000000 fe:00 1234   /opt/portico kube", true},
		{"Nor are constants.", "05a4b000-0b8f6000 r--p 0564b000 fe:00 1234   /opt/portico kube", true},
		{"Variables are.", "0b8f6000-0b9ff000 rw-p 0b4f6000 fe:00 1234   /opt/portico kube", false},
		{"Other files are none of our business.", "7f0000000000-7f0000001000 r--p 00000000 fe:00 99   /etc/portico kube", false},
		{"Memory without a file would be lost.", "c000000000-c000400000 r--p 00000000 00:00 0", false},
		{"What is shared was made so for a reason.", "00400000-05a4b000 r--s 00000000 fe:00 1234   /opt/portico kube", false},
	} {
		if from, to, ok := readOnly(tc.line, "/opt/portico kube"); ok != tc.ok || ok && from >= to {
			t.Errorf("%s\nreadOnly(%q) = %x, %x, %t", tc.why, tc.line, from, to, ok)
		}
	}
}

// The program runs on, and holds fewer pages of its file.
func TestUnmapProgram(t *testing.T) {
	held := func() int {
		raw, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(raw), "RssFile:")
		kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
		if err != nil {
			t.Fatal(err)
		}
		return kilobytes
	}
	before := held()
	if err := unmapProgram(); err != nil {
		t.Fatal(err)
	}
	if after := held(); after >= before {
		t.Errorf("%d KiB of files are held, %d before", after, before)
	}
}
