package telemetry

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/crypto/bcrypt"
	"sigs.k8s.io/yaml"
)

// webConfig is what Prometheus' programs call --web.config.file.
type webConfig struct {
	TLS   webTLS            `json:"tls_server_config"`
	Users map[string]string `json:"basic_auth_users"`
}

type webTLS struct {
	Certificate string `json:"cert_file"`
	Key         string `json:"key_file"`
}

// kept is the digest in a file, if it is that of the password.
func kept(file, password string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var before webConfig
	if yaml.Unmarshal(text, &before) != nil || bcrypt.CompareHashAndPassword([]byte(before.Users[User]), []byte(password)) != nil {
		return "", nil // it is written anew
	}
	return before.Users[User], nil
}

func sorted(args []string) []string {
	slices.Sort(args)
	return args
}
