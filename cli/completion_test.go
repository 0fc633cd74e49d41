package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// The scripts are cobra's; they have to be there, on standard output, for every shell.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out bytes.Buffer
		status := Run(t.Context(), Deps{Streams: Streams{In: strings.NewReader(""), Out: &out, Err: io.Discard}}, []string{"completion", shell})
		if status != 0 || !strings.Contains(out.String(), "__complete") {
			t.Errorf("completion %s = %d with %d bytes; want a script that asks portico __complete", shell, status, out.Len())
		}
	}
}
