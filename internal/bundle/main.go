// Command bundle makes what Portico's binaries find beside them in bin/share.
//
//	go run ./internal/bundle [-out bin/share] [crds] [charts]
//
// crds are the definitions of our kinds, of Flux's source kinds (made from the types of their Go
// module) and of Cluster API (with its webhooks, out of its Go module). charts is an OCI layout
// with our charts, and with the charts of others out of their Go modules, unchanged. Without an
// argument it makes both. The same sources give the same bytes, and what is up to date is left
// alone.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", filepath.Join("bin", "share"), "folder to write to")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(out string, what []string) error {
	if len(what) == 0 {
		what = []string{"crds", "charts"}
	}
	for _, w := range what {
		var err error
		switch w {
		case "crds":
			err = errors.Join(ownCRDs(out), fluxCRDs(out), clusterAPI(out))
		case "charts":
			err = charts(out)
		default:
			err = fmt.Errorf("unknown part %q: want crds or charts", w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
