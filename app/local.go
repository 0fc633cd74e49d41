package app

import (
	"context"
	"errors"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"portico.dev/portico/app/wayout"
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
func (p *plane) infrastructure(
	mgr ctrl.Manager, programs *installed.Programs, controlPlanes orphans.ControlPlanes, machines control.Bell, out wayout.WayOut,
) error {
	var (
		clock    = p.env.Now
		kube     = mgr.GetClient()
		live     = mgr.GetAPIReader()
		keeper   = localmachine.NewKeeper(p.machines(), machines.Ring, clock)
		pretend  = virtual.NewSimulator()
		sweeper  = p.sweeper(live)
		networks = p.networks()
	)
	networks.Open = out.Services
	sweeper.ControlPlanes = controlPlanes
	return errors.Join(
		(&localcluster.Controller{
			Kube: kube, Live: live, Network: networks, Taken: localcluster.TakenOnHost, Egress: out.Open,
			Refusal: p.networkRefusal(), Clock: clock,
		}).SetupWithManager(mgr),
		(&localmachine.Controller{
			Kube: kube, Live: live, Machines: keeper, Simulations: pretend, Programs: programs,
			Libexec: p.bin.libexec(), Images: p.images(), Refusal: p.refusal(), Clock: clock,
			Nameservers: out.Nameservers, Proxy: out.Proxy,
		}).SetupWithManager(mgr, machines),
		(&machinetemplate.Controller{Kube: kube}).SetupWithManager(mgr),
		mgr.Add(sweeper),
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

// wayOut is how clusters reach what this computer reaches. Without root there are none with a network
// of their own.
func (e *embedded) wayOut() wayout.WayOut {
	if e.env.UID != 0 {
		return wayout.WayOut{}
	}
	return wayout.Decide(e.cfg.Clusters, wayout.World{Getenv: e.env.Getenv, ReadFile: os.ReadFile})
}

// images is the folder of bundled images, empty if there is none.
func (e *embedded) images() string {
	if _, err := os.Stat(e.bin.images()); err != nil {
		return ""
	}
	return e.bin.images()
}

// networkRefusal says why clusters cannot have a network of their own here, and what to do.
func (e *embedded) networkRefusal() string {
	if e.env.UID != 0 {
		return "a network of its own needs root: run portico up as root, or use machines of kind Virtual only"
	}
	return ""
}

// refusal says why real machines cannot be made here, and what to do.
func (e *embedded) refusal() string {
	if e.env.UID != 0 {
		return "real machines need root: run portico up as root, or use machines of kind Virtual"
	}
	if lacks := e.bin.lacksForMachines(); lacks != "" {
		return lacks + ", or use machines of kind Virtual"
	}
	return ""
}
