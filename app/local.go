package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"portico.dev/portico/clusters/installed"
	"portico.dev/portico/clusters/local/localcluster"
	"portico.dev/portico/clusters/local/localmachine"
	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/clusters/local/machinetemplate"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/clusters/local/orphans"
	"portico.dev/portico/clusters/local/virtual"
	"portico.dev/portico/kube/control"
)

// infrastructure registers the controllers of machines and networks on this computer.
func (p *plane) infrastructure(mgr ctrl.Manager, programs *installed.Programs) error {
	var (
		clock    = p.env.Now
		kube     = mgr.GetClient()
		live     = mgr.GetAPIReader()
		machines = control.NewBell()
		keeper   = localmachine.NewKeeper(p.machines(), machines.Ring, clock)
		pretend  = virtual.NewSimulator()
	)
	return errors.Join(
		(&localcluster.Controller{
			Kube: kube, Live: live, Network: p.networks(), Taken: localcluster.TakenOnHost, Clock: clock,
		}).SetupWithManager(mgr),
		(&localmachine.Controller{
			Kube: kube, Live: live, Machines: keeper, Simulations: pretend, Programs: programs,
			Libexec: p.bin.libexec(), Images: p.images(), Refusal: p.refusal(), Clock: clock,
		}).SetupWithManager(mgr, machines),
		(&machinetemplate.Controller{Kube: kube}).SetupWithManager(mgr),
		mgr.Add(p.sweeper(live)),
		mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			<-ctx.Done()
			keeper.Close()
			pretend.Close()
			return nil
		})),
	)
}

func (e *embedded) machines() machine.Host {
	return machine.Host{Dir: e.folder.Machines(), Program: e.bin.machine(), Processes: e.table}
}

func (e *embedded) networks() network.Claims { return network.Claims{Dir: e.folder.Networks()} }

func (e *embedded) sweeper(live client.Reader) orphans.Sweeper {
	return orphans.Sweeper{Live: live, Machines: e.machines(), Networks: e.networks()}
}

// images is the folder of bundled images, empty if there is none.
func (e *embedded) images() string {
	if _, err := os.Stat(e.bin.images()); err != nil {
		return ""
	}
	return e.bin.images()
}

// refusal says why real machines cannot be made here, and what to do.
func (e *embedded) refusal() string {
	if e.env.UID != 0 {
		return "real machines need root: run portico up as root, or use machines of kind Virtual"
	}
	if _, err := os.Stat(e.bin.machine()); err != nil {
		return fmt.Sprintf("real machines need the program portico-machine: put it into %s, or use machines of kind Virtual", e.bin)
	}
	return ""
}
