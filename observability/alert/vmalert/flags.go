package vmalert

import (
	"path/filepath"
	"time"
)

// Options say what a vmalert works with.
type Options struct {
	// Listen is the address of its API, such as 127.0.0.1:8880.
	Listen string
	// Rules is the folder of rule files.
	Rules string
	// Query is where expressions are evaluated: the base of a Prometheus API.
	Query string
	// Write is where recorded series and the state of alerts are written: the base of an API with
	// /api/v1/write. Empty means that a restart forgets since when alerts are pending.
	Write string
	// Alertmanager is where alerts are sent; empty means nowhere.
	Alertmanager string
	// Every is how often groups are evaluated that do not say it themselves.
	Every time.Duration
}

// Flags are the arguments with which a vmalert does that.
func (o Options) Flags() []string {
	out := []string{
		"-httpListenAddr=" + o.Listen,
		"-rule=" + filepath.Join(o.Rules, "*.yaml"),
		"-datasource.url=" + o.Query,
		"-evaluationInterval=" + o.Every.String(),
		// One rule that it does not understand would keep it from reading all others. Rules were
		// checked before; what is wrong with one all the same shows when that one is evaluated.
		"-rule.validateExpressions=false",
		"-rule.validateTemplates=false",
	}
	if o.Write != "" {
		out = append(out, "-remoteWrite.url="+o.Write, "-remoteRead.url="+o.Query)
	}
	if o.Alertmanager == "" {
		return append(out, "-notifier.blackhole")
	}
	return append(out, "-notifier.url="+o.Alertmanager)
}
