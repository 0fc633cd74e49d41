package docs_test

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"portico.dev/portico/cli"
)

// called matches a call of portico, in a block or in a line of text, up to what the shell takes.
var called = regexp.MustCompile("(?m)(?:^[ $]*|`)(?:bin/)?portico ([^`>|#&\n]+)")

// Every command line in these pages is one that the program understands.
func TestCommands(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		for _, m := range called.FindAllStringSubmatch(p.text, -1) {
			count++
			args := strings.Fields(m[1])
			if err := understood(args); err != nil {
				t.Errorf("%s: portico %s: %v", p.path, strings.TrimSpace(m[1]), err)
			}
		}
	}
	if count < 10 {
		t.Errorf("found %d command lines: they are not read", count)
	}
	for _, line := range []string{"clusters", "up --detached", "down now"} {
		if understood(strings.Fields(line)) == nil {
			t.Errorf("portico %s is understood", line)
		}
	}
}

// understood finds the command and reads its flags and arguments, without running it.
func understood(args []string) error {
	c, rest, err := cli.Root(cli.Deps{Streams: cli.Streams{Out: io.Discard, Err: io.Discard}}).Find(args)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if left := c.Flags().Args(); c.HasSubCommands() && len(left) > 0 {
		return fmt.Errorf("%s has no command %s", c.CommandPath(), left[0])
	}
	return arguments(c)
}

func arguments(c *cobra.Command) error {
	if !c.Runnable() || c.HasSubCommands() {
		return nil // named by itself, to speak of it
	}
	left := c.Flags().Args()
	if len(left) == 0 {
		return nil // likewise
	}
	return c.ValidateArgs(left)
}
