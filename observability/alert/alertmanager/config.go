package alertmanager

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
)

//go:embed default.yaml
var defaultConfig []byte

// DefaultConfig is the configuration where nobody wrote one: alerts are grouped and shown, and
// sent to nobody.
func DefaultConfig() []byte { return slices.Clone(defaultConfig) }

// CheckConfig says what is wrong with a configuration, as far as it can be seen without
// Alertmanager: its form, its receivers, and whether routes name them. The error is of kind
// fleet.ErrInvalid.
func CheckConfig(text []byte) error {
	var c config
	raw, err := yaml.YAMLToJSONStrict(text)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return fmt.Errorf("%w: the configuration of Alertmanager cannot be read: %s", fleet.ErrInvalid, strings.Join(strings.Fields(err.Error()), " "))
	}
	var wrong []string
	known := map[string]bool{}
	for i, r := range c.Receivers {
		switch {
		case r.Name == "":
			wrong = append(wrong, fmt.Sprintf("receivers[%d] has no name", i))
		case known[r.Name]:
			wrong = append(wrong, fmt.Sprintf("receivers[%d]: the name %q is there twice", i, r.Name))
		}
		known[r.Name] = true
	}
	switch {
	case c.Route == nil:
		wrong = append(wrong, "route is missing")
	case c.Route.Receiver == "":
		wrong = append(wrong, "route.receiver is missing: the first route needs one, it takes what no other does")
	default:
		wrong = append(wrong, c.Route.problems("route", known)...)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: the configuration of Alertmanager: %s", fleet.ErrInvalid, strings.Join(wrong, "; "))
	}
	return nil
}

type config struct {
	Route     *route `json:"route"`
	Receivers []struct {
		Name string `json:"name"`
	} `json:"receivers"`
}

type route struct {
	Receiver       string  `json:"receiver"`
	GroupWait      string  `json:"group_wait"`
	GroupInterval  string  `json:"group_interval"`
	RepeatInterval string  `json:"repeat_interval"`
	Routes         []route `json:"routes"`
}

var duration = regexp.MustCompile(`^(0|([0-9]+(ms|[smhdwy]))+)$`)

func (r route) problems(at string, known map[string]bool) []string {
	var out []string
	if r.Receiver != "" && !known[r.Receiver] {
		out = append(out, fmt.Sprintf("%s.receiver: there is no receiver %q", at, r.Receiver))
	}
	for _, d := range []struct{ field, text string }{{"group_wait", r.GroupWait}, {"group_interval", r.GroupInterval}, {"repeat_interval", r.RepeatInterval}} {
		if d.text != "" && !duration.MatchString(d.text) {
			out = append(out, fmt.Sprintf("%s.%s is %q, expected a duration such as 5m", at, d.field, d.text))
		}
	}
	for i, child := range r.Routes {
		out = append(out, child.problems(fmt.Sprintf("%s.routes[%d]", at, i), known)...)
	}
	return out
}

// ConfigFile is the file that an Alertmanager reads.
type ConfigFile struct {
	Path string
	// Reload has Alertmanager read the file; Client.Reload does.
	Reload func(ctx context.Context) error
}

// Apply makes the configuration the one in force. The same configuration again does nothing. One
// that Alertmanager refuses is an error of kind fleet.ErrInvalid, and the file is as it was, so
// that Alertmanager also starts with it.
func (f ConfigFile) Apply(ctx context.Context, text []byte) error {
	if err := CheckConfig(text); err != nil {
		return err
	}
	was, err := os.ReadFile(f.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading Alertmanager's configuration: %w", err)
	}
	if bytes.Equal(was, text) {
		return nil
	}
	if err := replace(f.Path, text); err != nil {
		return err
	}
	reload := f.Reload(ctx)
	// Whatever it was, the file must not say what Alertmanager has not taken: the next try would
	// find nothing to do.
	if reload != nil && was != nil {
		return errors.Join(reload, replace(f.Path, was))
	}
	if reload != nil {
		return errors.Join(reload, os.Remove(f.Path))
	}
	return nil
}

// replace writes a file so that a reader sees the old one or the new one. Receivers hold secrets:
// only the owner reads it.
func replace(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("writing Alertmanager's configuration: %w", err)
	}
	next := path + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return fmt.Errorf("writing Alertmanager's configuration: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("writing Alertmanager's configuration: %w", err)
	}
	return nil
}
