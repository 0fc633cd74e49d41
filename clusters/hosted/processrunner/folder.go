package processrunner

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"portico.dev/portico/api/config/controlplane"
	"portico.dev/portico/clusters/hosted"
	"portico.dev/portico/pki"
)

const (
	configFile = "config.yaml"
	// ownerFile holds the identity of the object that the control plane belongs to.
	ownerFile = "owner"
)

// writeFolder writes files before the configuration that names them.
func writeFolder(dir string, in hosted.Instance) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := pki.WriteFile(filepath.Join(dir, ownerFile), []byte(in.Owner)); err != nil {
		return err
	}
	for name, content := range in.Files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := pki.WriteFile(file, content); err != nil {
			return err
		}
	}
	text, err := controlplane.Encode(hosted.Resolve(in.Config, dir))
	if err != nil {
		return err
	}
	return pki.WriteFile(filepath.Join(dir, configFile), text)
}

// own writes whose control plane dir holds, where it says another one: the object was restored from a
// backup, and the data are its.
func own(dir string, in hosted.Instance) error {
	owner, err := os.ReadFile(filepath.Join(dir, ownerFile))
	if err != nil || string(owner) == string(in.Owner) {
		return nil // a folder that does not say is written anew when its program is started next
	}
	if err := pki.WriteFile(filepath.Join(dir, ownerFile), []byte(in.Owner)); err != nil {
		return fmt.Errorf("writing whose control plane %s is: %w", in.Key, err)
	}
	return nil
}

// evict removes what another object of the same name left.
func (r *Runner) evict(ctx context.Context, in hosted.Instance) error {
	foreign, err := foreign(r.dir(in.Key), in)
	if err != nil || !foreign {
		return err
	}
	// The data go first: after a crash between the two, the rest still says whose they were.
	if err := os.RemoveAll(filepath.Join(r.dir(in.Key), "etcd")); err != nil {
		return fmt.Errorf("removing what another control plane of the name %s left: %w", in.Key, err)
	}
	return r.remove(ctx, in.Key)
}

// foreign says whether the data in dir are those of another cluster. Another owner is not enough:
// an object that was restored from a backup is a new one, and so are its Secrets, but not what is in
// them. Nor are other authorities enough: the user may exchange them. Where in doubt, nothing is
// lost.
func foreign(dir string, in hosted.Instance) (bool, error) {
	owner, err := os.ReadFile(filepath.Join(dir, ownerFile))
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading whose control plane it was: %w", err)
	}
	if string(owner) == string(in.Owner) {
		return false, nil
	}
	for _, name := range []string{"pki/ca.crt", "pki/front-proxy-ca.crt", "pki/sa.key"} {
		had, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			return false, fmt.Errorf("reading whose control plane it was: %w", err)
		}
		if bytes.Equal(had, in.Files[name]) {
			return false, nil
		}
	}
	return true, nil
}
