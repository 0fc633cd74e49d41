package app

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/telemetry"
)

// collect has the plane's own collector run. It is no part of keeping telemetry: where it was not built,
// the plane does without it and says so.
func (s *stores) collect(ctx context.Context) error {
	files, at := s.identities().Files(identity.Collector), home()
	p, err := s.site.Collect(telemetry.Watched{
		Cluster: at.Name, Namespace: at.Namespace, Client: files.Client, Kubeconfig: files.Kubeconfig, Programs: []string{clusterAPIProgram},
	})
	if err != nil {
		return err
	}
	if _, err := os.Stat(p.Path); err != nil {
		s.log.Warn("the plane collects no telemetry of itself: run make build and start the plane again", "reason", err)
		return nil
	}
	program := s.onDemandProgram(p.Name, p.Path, files.Kubeconfig, 0)
	program.Spec.Args, program.Ready = p.Args, answersTo(http.DefaultClient, p.Health)
	// Of two values of a variable the last one counts.
	program.Inputs, program.Variables = append(program.Inputs, p.Inputs...), append(program.Variables, p.Variables...)
	if err := s.supervisor.Keep(ctx, program); err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	return nil
}
