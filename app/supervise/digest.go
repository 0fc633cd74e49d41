package supervise

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
)

// digestVariable carries the digest of what a program was started from in its environment,
// where it cannot be lost or go stale.
const digestVariable = "PORTICO_INPUTS"

// digest identifies what p is started from. Files count by size and time: binaries are too
// large to be read at each start. The environment does not count, apart from p's own variables:
// it is that of the shell in which somebody said up, and the next one may say it in another.
func digest(p Program) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n%q\n%q\n%q\n%q\n", p.Spec.Path, p.Spec.Args, p.Variables, p.Spec.Dir, p.Spec.Netns)
	for _, file := range append([]string{p.Spec.Path}, p.Inputs...) {
		info, err := os.Stat(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %d %d\n", file, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
