package processrunner

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"portico.dev/portico/clusters/hosted"
	"portico.dev/portico/fleet"
)

const (
	// checkTimeout is ample: a check takes about as long as the start of a program.
	checkTimeout = time.Minute
	// refused is the exit code of a program that was told something it cannot do, unknown that of one
	// that does not know how to check. Any other has to do with the computer, and not with us.
	refused, unknown = 3, 2
	// speaker begins the lines that the program writes about its own end.
	speaker = "portico-kube controlplane: "
	// tail is how much of a log is looked at for them.
	tail = 16 << 10
)

// check has the program judge a configuration, in a folder of its own, before the control plane
// that runs is stopped for it.
func (r *Runner) check(ctx context.Context, in hosted.Instance, program string) error {
	stage := filepath.Join(r.dir(in.Key), "check")
	defer os.RemoveAll(stage)
	if err := os.RemoveAll(stage); err != nil {
		return fmt.Errorf("checking the configuration of %s: %w", in.Key, err)
	}
	if err := writeFolder(stage, in); err != nil {
		return fmt.Errorf("checking the configuration of %s: %w", in.Key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "controlplane", "--config", filepath.Join(stage, configFile), "--check")
	cmd.Dir, cmd.Env = stage, environment(stage)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || !errors.As(err, &exit):
		return fmt.Errorf("checking the configuration of %s: %w", in.Key, err)
	case exit.ExitCode() == unknown:
		return nil // a program from before there was a check; its start will show
	}
	// The user knows the files by their names, not by where they were tried.
	reason := strings.ReplaceAll(lastSaid(out), stage+"/", "")
	if exit.ExitCode() != refused {
		return fmt.Errorf("checking the configuration of %s: %w: %s", in.Key, err, reason)
	}
	return fmt.Errorf("%w: the configuration is refused by Kubernetes %s: %s", fleet.ErrInvalid, in.Config.KubernetesVersion, reason)
}

func environment(dir string) []string {
	return []string{"HOME=" + dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
}

// lastWords is what a control plane wrote into its log when it ended, empty if it was not given
// the time.
func lastWords(log string) string {
	f, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tail {
		_, _ = f.Seek(-tail, io.SeekEnd) // if it fails we read more than we need
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	return lastSaid(text)
}

// lastSaid is the last line that the program wrote as itself. Other lines carry the time, and would
// be others at each end.
func lastSaid(text []byte) string {
	var said string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), speaker); ok {
			said = line
		}
	}
	return said
}
