package main

import (
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
)

// What `portico-collector components` tells of where a component comes from is what go.mod says.
func TestModules(t *testing.T) {
	f, err := components()
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	check := func(kind string, modules map[component.Type]string, count int) {
		// Some components have a second, older name; it needs no module of its own.
		if len(modules) == 0 || len(modules) > count {
			t.Errorf("%d modules of %s for %d components", len(modules), kind, count)
		}
		for name, module := range modules {
			if !strings.Contains(string(mod), "\t"+module+"\n") {
				t.Errorf("%s %s: go.mod does not require %s", kind, name, module)
			}
		}
	}
	check("extensions", f.ExtensionModules, len(f.Extensions))
	check("receivers", f.ReceiverModules, len(f.Receivers))
	check("processors", f.ProcessorModules, len(f.Processors))
	check("exporters", f.ExporterModules, len(f.Exporters))

	providers := settings().ProviderModules
	for scheme, module := range providers {
		if !strings.Contains(string(mod), "\t"+module+"\n") {
			t.Errorf("provider %s: go.mod does not require %s", scheme, module)
		}
	}
}
