package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name, why string
		in, want  string
		status    int
	}{
		{
			"Passed", "A test that passed says nothing.",
			`{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:1: chatter\n"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
exit-status 0`, "ok  \tp\t0.1s\n", 0,
		},
		{
			"Skipped", "Its reason is the last that one reads.",
			`{"Action":"output","Package":"p","Test":"A","Output":"=== RUN   A\n"}
{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:1: needs root\n"}
{"Action":"output","Package":"p","Test":"A","Output":"--- SKIP: A (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
exit-status 0`, "ok  \tp\t0.1s\n?   \tq\t[no test files]\nskipped: 1\n  p A: needs root\n", 0,
		},
		{
			"Failed", "All that it said is shown, and the status is kept.",
			`{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:1: 1; want 2\n"}
{"Action":"output","Package":"p","Test":"A","Output":"--- FAIL: A (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
exit-status 1`, "    a_test.go:1: 1; want 2\n--- FAIL: A (0.00s)\nFAIL\tp\t0.1s\n", 1,
		},
		{
			"NotBuilt", "The compiler's words are no event of a test.",
			`{"ImportPath":"p","Action":"build-output","Output":"p/p.go:1: undefined: y\n"}
{"ImportPath":"p","Action":"build-fail"}
go: no such tool
exit-status 1`, "p/p.go:1: undefined: y\ngo: no such tool\n", 1,
		},
		{"Killed", "Without a status nothing was shown to pass.", `{"Action":"start","Package":"p"}`, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			status := report(strings.NewReader(tt.in), &out)
			if diff := cmp.Diff(tt.want, out.String()); diff != "" || status != tt.status {
				t.Errorf("%s\nstatus %d; want %d; output (-want +got):\n%s", tt.why, status, tt.status, diff)
			}
		})
	}
}
