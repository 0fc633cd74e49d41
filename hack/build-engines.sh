#!/bin/sh
# Builds the upstream programs that Portico runs, each from its published Go module with the
# dependency versions that its authors tested. Sources are used as they are.
#
#   hack/build-engines.sh [NAME...]     all of them, or only those named
#
# A program is built again when a file of its folder under engines/ is newer than it.
set -eu
cd "$(dirname "$0")/.."
export GOWORK=off GOFLAGS="-buildvcs=false" CGO_ENABLED=0

# name        folder      goes to             package                                                     tags
list='
containerd    containerd  libexec             github.com/containerd/containerd/v2/cmd/containerd                no_btrfs,no_zfs,no_devmapper
shim          containerd  libexec             github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2   -
ctr           containerd  libexec             github.com/containerd/containerd/v2/cmd/ctr                       no_btrfs,no_zfs,no_devmapper
ptp           cni         libexec/cni         github.com/containernetworking/plugins/plugins/main/ptp           -
host-local    cni         libexec/cni         github.com/containernetworking/plugins/plugins/ipam/host-local    -
loopback      cni         libexec/cni         github.com/containernetworking/plugins/plugins/main/loopback      -
portmap       cni         libexec/cni         github.com/containernetworking/plugins/plugins/meta/portmap       -
coredns       coredns     images              portico.dev/portico/engines/coredns                               -
podinfo       podinfo     images              github.com/stefanprodan/podinfo/cmd/podinfo                       -
podcli        podinfo     images              github.com/stefanprodan/podinfo/cmd/podcli                        -
addon-controller sveltos  libexec             github.com/projectsveltos/addon-controller/cmd                    -
helm-controller flux      libexec             github.com/fluxcd/helm-controller                                     -
runc          runc        libexec             github.com/opencontainers/runc                                    seccomp,netgo,osusergo
victoria-metrics victoriametrics libexec      github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics   -
vmauth        victoriametrics libexec         github.com/VictoriaMetrics/VictoriaMetrics/app/vmauth             -
vmalert       victoriametrics libexec         github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert            -
alertmanager  alertmanager libexec            github.com/prometheus/alertmanager/cmd/alertmanager               -
'

# version NAME: what a program shall call itself, since a module's build knows no git tag.
version() {
	v=$(cd "engines/$1" && go list -m -f '{{.Version}}' "$2")
	case $1 in
	containerd) echo "-X github.com/containerd/containerd/v2/version.Version=$v" ;;
	runc) echo "-X main.version=${v#v} -extldflags -static" ;;
	coredns) echo "-X github.com/coredns/coredns/coremain.GitCommit=$v" ;;
	cni) echo "-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=$v" ;;
	victoriametrics) echo "-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=$v" ;;
	alertmanager) echo "-X github.com/prometheus/common/version.Version=${v#v}" ;;
	esac
}

module() {
	case $1 in
	containerd) echo github.com/containerd/containerd/v2 ;;
	cni) echo github.com/containernetworking/plugins ;;
	coredns) echo github.com/coredns/coredns ;;
	podinfo) echo github.com/stefanprodan/podinfo ;;
	runc) echo github.com/opencontainers/runc ;;
	sveltos) echo github.com/projectsveltos/addon-controller ;;
	flux) echo github.com/fluxcd/helm-controller ;;
	victoriametrics) echo github.com/VictoriaMetrics/VictoriaMetrics ;;
	alertmanager) echo github.com/prometheus/alertmanager ;;
	esac
}

# definitions FOLDER: the kinds that a program serves, out of its modules. Flux' sources are kinds
# of the plane's own: helm-controller's folder is another one.
definitions() {
	case $1 in
	sveltos) to=sveltos modules="github.com/projectsveltos/addon-controller github.com/projectsveltos/libsveltos" ;;
	flux) to=helm-controller modules=github.com/fluxcd/helm-controller ;;
	*) return 0 ;;
	esac
	mkdir -p "bin/share/crds/$to"
	for m in $modules; do
		from=$(cd "engines/$1" && go list -m -f '{{.Dir}}' "$m")
		install -m 0644 "$from"/config/crd/bases/*.yaml "bin/share/crds/$to/"
	done
}

# build FOLDER OUT PACKAGE TAGS
build() {
	flags=$(version "$1" "$(module "$1")")
	cgo=0
	[ "$1" = runc ] && cgo=1
	(cd "engines/$1" && CGO_ENABLED=$cgo go build -trimpath -tags "$4" -ldflags "-s -w $flags" -o "$OLDPWD/$2" "$3")
}

total=$(echo "$list" | grep -c .)
n=0
echo "$list" | grep . | while read -r name folder dest package tags; do
	n=$((n + 1))
	[ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
	out=bin/$dest/$(basename "$package")
	[ "$(basename "$package")" != cmd ] || out=bin/$dest/$name
	if [ -e "$out" ] && [ -z "$(find "engines/$folder" -type f -newer "$out")" ]; then
		echo "[$n/$total] $name is up to date"
		continue
	fi
	echo "[$n/$total] building $name from $package"
	mkdir -p "bin/$dest"
	[ "$tags" = - ] && tags=
	if ! build "$folder" "$out" "$package" "$tags"; then
		# runc is the one program that needs a C library; nodes then use the one found in PATH.
		[ "$name" = runc ] || exit 1
		echo "[$n/$total] $name could not be built: install libseccomp-dev, or have runc in PATH" >&2
	fi
	definitions "$folder"
done
