package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Sources is where the parts of a configuration come from.
type Sources struct {
	// UID is the user's number, Getenv reads the environment.
	UID    int
	Getenv func(string) string
	// File is the file that the user named; empty means portico.yaml in the data folder, if there is one.
	File string
	// Data and Listen are the flags; empty means not given.
	Data, Listen string
}

// Load returns the configuration that is in force.
func Load(from Sources) (Config, error) {
	c := Default(from.UID, from.Getenv)
	c.Data = cmp.Or(from.Data, from.Getenv("PORTICO_DATA"), c.Data)
	listen := c.Listen
	c.Listen = "" // so that we see whether the file has one
	file := from.File
	if file == "" {
		file = filepath.Join(c.Data, File)
	}
	err := c.read(file)
	if err != nil && (from.File != "" || !errors.Is(err, fs.ErrNotExist)) {
		return Config{}, fmt.Errorf("reading configuration %s: %w", file, err)
	}
	c.Data = cmp.Or(from.Data, from.Getenv("PORTICO_DATA"), c.Data)
	before, err := listenedBefore(c.Data)
	if err != nil {
		return Config{}, err
	}
	c.Listen = cmp.Or(from.Listen, from.Getenv("PORTICO_LISTEN"), c.Listen, before, listen)
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return Config{}, fmt.Errorf("locating the data folder: %w", err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

// listenedBefore is the address of the plane that was started in the data folder: it stays, so that
// nobody has to repeat the flag, and kubeconfigs stay good. Nothing else in that file counts: one
// of another version must not keep a command from saying so.
func listenedBefore(data string) (string, error) {
	file := filepath.Join(data, Started)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	var before struct {
		Listen any `json:"listen"`
	}
	if yaml.Unmarshal(b, &before) != nil {
		return "", nil
	}
	listen, _ := before.Listen.(string)
	return listen, nil
}

func (c *Config) read(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(b, c)
}

// Encode returns c as a file that Load reads.
func (c Config) Encode() ([]byte, error) { return yaml.Marshal(c) }
