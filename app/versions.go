package app

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/installed"
	"portico.dev/portico/kube/control"
)

// watchPrograms has every control plane and machine looked at again when a Kubernetes program was
// installed or removed: some may wait for it, and to look at the others does nothing.
func (p *plane) watchPrograms(programs *installed.Programs, kube client.Reader, controlPlanes, machines control.Bell) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		err := programs.Watch(ctx, func() {
			var planes cp.HostedControlPlaneList
			var all infra.LocalMachineList
			for _, list := range []client.ObjectList{&planes, &all} {
				if err := kube.List(ctx, list); err != nil {
					p.log.Error("looking for who waits for a Kubernetes program", "reason", err)
				}
			}
			for i := range planes.Items {
				controlPlanes.Ring(client.ObjectKeyFromObject(&planes.Items[i]))
			}
			for i := range all.Items {
				machines.Ring(client.ObjectKeyFromObject(&all.Items[i]))
			}
		})
		if err != nil { // without it whoever waits is looked at when anything else changes
			p.log.Error("noticing installed Kubernetes programs", "reason", err)
		}
		return nil
	})
}
