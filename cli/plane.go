package cli

import (
	"context"
	"io"
	"time"
)

// Plane is the management plane of one data folder. Its methods print talk to the writer that
// they are given, and end when their context does.
type Plane interface {
	// Up starts the plane and returns when it is ready, or, unless detached, when it was
	// stopped: the end of ctx stops it.
	Up(ctx context.Context, o UpOptions) error
	// Status tells how the plane stands. It works without a running plane too.
	Status(ctx context.Context) (Status, error)
	// Down stops the plane; child clusters keep running, unless they are to stop too.
	// Stopping what does not run is no error.
	Down(ctx context.Context, o DownOptions) error
	// Reset removes everything that the plane ever made on this machine.
	Reset(ctx context.Context, talk io.Writer) error
	// Kubeconfig returns the administrator's kubeconfig of the plane, or of a cluster.
	Kubeconfig(ctx context.Context, of ClusterRef) ([]byte, error)
	// Serve is the plane's own process, Keep the one that starts it again.
	Serve(ctx context.Context) error
	Keep(ctx context.Context) error
}

// UpOptions say how to start.
type UpOptions struct {
	// Detach returns when the plane is ready and leaves it running.
	Detach bool
	// Verbose shows every step of the start with its times.
	Verbose bool
	Talk    io.Writer
	// Ready is called once the plane is ready, if it is not nil.
	Ready func(context.Context)
}

// DownOptions say what to stop.
type DownOptions struct {
	// Clusters stops the child clusters too.
	Clusters bool
	Talk     io.Writer
}

// ClusterRef names a child cluster; the zero value means the management plane.
type ClusterRef struct{ Namespace, Name string }

// Status is how a plane stands.
type Status struct {
	// Data is the data folder, Server the URL of the API server.
	Data   string `json:"data"`
	Server string `json:"server"`
	// Version is that of the running plane.
	Version string `json:"version,omitempty"`
	// Ready says that the whole plane serves.
	Ready bool `json:"ready"`
	// Programs are all that belong to the plane, child clusters included.
	Programs []Program `json:"programs"`
}

// Program is one process of the plane or of a child cluster.
type Program struct {
	Name string `json:"name"`
	// State is Ready, Starting, Waiting (to be started again) or Running (not asked).
	State string `json:"state"`
	PID   int    `json:"pid,omitempty"`
	// Since is when it was started, or adopted by the running plane.
	Since time.Time `json:"since,omitzero"`
	// Restarts counts how often it ended and was started again.
	Restarts int `json:"restarts"`
	// Memory is what it takes in bytes: all of it (resident), and the part that it shares
	// with nobody.
	Memory        int64 `json:"memory"`
	PrivateMemory int64 `json:"privateMemory"`
	// Reason says why it is not Ready.
	Reason string `json:"reason,omitempty"`
}
