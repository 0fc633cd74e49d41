package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// module is where a Go module of somebody else lies.
type module struct{ Path, Version, Dir string }

// locate finds a module as the go.mod in dir pins it, and fetches it if it is not there.
func locate(dir, path string) (module, error) {
	var m module
	var stderr bytes.Buffer
	cmd := exec.Command("go", "mod", "download", "-json", path)
	cmd.Dir, cmd.Stderr = dir, &stderr
	// Each engine has its own versions, whatever a workspace around it says.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("fetching module %s as pinned in %s: %w\n%s%s", path, dir, err, out, stderr.Bytes())
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return m, fmt.Errorf("fetching module %s: %w", path, err)
	}
	return m, nil
}
