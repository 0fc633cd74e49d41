package program_test

import (
	"bytes"
	"strings"
	"testing"

	"portico.dev/portico/kubernetes/program"
)

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, why string
		args      []string
		code      int
		out, err  string // parts
	}{
		{"ByArgument", "The first argument names the program.", []string{"/opt/bin/portico-kube", "version"}, 0, "v", ""},
		{"ByLink", "So does the name of a link to the binary.", []string{"/opt/bin/version"}, 0, "v", ""},
		{"None", "Without a name it says which there are, sorted.", []string{"portico-kube"}, 2, "", "programs: controlplane etcd kube-apiserver"},
		{"Unknown", "Only the first argument is looked at: the second may be anything.", []string{"portico-kube", "x", "version"}, 2, "", "usage: portico-kube PROGRAM"},
		{"NoConfig", "The control plane needs its file.", []string{"portico-kube", "controlplane"}, 2, "", "controlplane --config FILE"},
		{"NoSuchConfig", "A missing file is named, on one line.", []string{"portico-kube", "controlplane", "--config", "/no/such"}, 1, "", "portico-kube controlplane: reading the configuration: open /no/such"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, err bytes.Buffer
			code := program.Run(program.Env{Args: c.args, Out: &out, Err: &err})
			if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(err.String(), c.err) {
				t.Errorf("%s\ncode %d, out %q, err %q", c.why, code, out.String(), err.String())
			}
		})
	}
}
