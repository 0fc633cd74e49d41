// Command images packs the images that machines find without a registry into an OCI layout.
//
//	go run ./internal/images [-bin bin]
//
// Upstream's programs are those that hack/build-engines.sh has put into bin/images; ours are built
// first. It prints the reference and digest of every image; the same programs give the same digests.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"portico.dev/portico/clusters/hosted/addons"
	"portico.dev/portico/clusters/local/guest"
	"portico.dev/portico/oci/pack"
)

// podinfoImage is what podinfo's own chart asks for: machines find ours, which is made from the same
// sources, before they ask that registry.
const podinfoImage = "ghcr.io/stefanprodan/podinfo:6.9.2"

// collectorImage is what the chart kof-collectors asks for.
const collectorImage = "portico.local/portico-collector:0.149.0-1"

// What the chart kof-storage asks for: upstream's programs under the names of their own images, which
// others pull and machines find here, and ours.
const (
	victoriaImage = "docker.io/victoriametrics/%s:v1.149.0"
	storeImage    = "portico.local/portico-store:0.1.0"
	gateImage     = "portico.local/portico-gate:0.1.0"
)

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs")
	flag.Parse()
	if err := run(*bin); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(bin string) error {
	programs := filepath.Join(bin, "images")
	for _, name := range []string{"pause", "volumes", "gate"} {
		if err := build(filepath.Join(programs, name), "./images/"+name); err != nil {
			return err
		}
	}
	page, err := podinfoPage()
	if err != nil {
		return err
	}
	images := []pack.Image{
		single(guest.PauseImage, filepath.Join(programs, "pause")),
		single(addons.CoreDNSImage, filepath.Join(programs, "coredns")),
		single(addons.VolumesImage, filepath.Join(programs, "volumes")),
		single(collectorImage, filepath.Join(bin, "portico-collector")),
		{
			Reference:    podinfoImage,
			Architecture: runtime.GOARCH,
			// podinfo's chart starts ./podinfo, which looks for ./ui, and probes by podcli.
			Files: map[string]string{
				"/home/app/podinfo":     filepath.Join(programs, "podinfo"),
				"/home/app/ui/vue.html": page,
				"/usr/local/bin/podcli": filepath.Join(programs, "podcli"),
			},
			Entrypoint: []string{"./podinfo"},
			WorkingDir: "/home/app",
		},
		single(storeImage, filepath.Join(bin, "portico-store")),
		single(gateImage, filepath.Join(programs, "gate")),
	}
	for _, name := range []string{"victoria-metrics", "vmauth", "vmalert"} {
		images = append(images, single(fmt.Sprintf(victoriaImage, name), filepath.Join(bin, "libexec", name)))
	}
	packed, err := pack.Write(filepath.Join(bin, "share", "images"), images)
	if err != nil {
		return err
	}
	for _, p := range packed {
		fmt.Printf("%s@%s %.1f MB\n", p.Reference, p.Digest, float64(p.Bytes)/1e6)
	}
	return nil
}

// single is an image of one program.
func single(reference, program string) pack.Image {
	path := "/" + filepath.Base(program)
	return pack.Image{
		Reference:    reference,
		Architecture: runtime.GOARCH,
		Files:        map[string]string{path: program},
		Entrypoint:   []string{path},
	}
}

func build(out, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s: %w", pkg, err)
	}
	return nil
}

// podinfoPage finds the web page that comes with podinfo's module.
func podinfoPage() (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/stefanprodan/podinfo")
	cmd.Dir = filepath.Join("engines", "podinfo")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	cmd.Stderr = os.Stderr
	dir, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("finding podinfo's module: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "ui", "vue.html"), nil
}
