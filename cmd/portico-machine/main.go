// Command portico-machine is a machine made of Linux namespaces, seen from the inside.
//
//	portico-machine run DIR     make the namespaces and stay as their parent
//	portico-machine init DIR    be PID 1; called by run
package main

import (
	"fmt"
	"os"

	"portico.dev/portico/clusters/local/guest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "portico-machine:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 {
		switch args[0] {
		case "run":
			return guest.Run(args[1])
		case "init":
			return guest.Boot(args[1])
		}
	}
	return fmt.Errorf("unknown arguments %q: portico starts this program itself", args)
}
