#!/bin/sh
# footprint.sh NAME [YAML]: starts bin/portico-kube's control plane in a temporary folder with
# YAML added to its configuration, and prints one line of a table: time to /readyz, CPU used
# until then, memory after 30 s and, idle, CPU in percent of one core over 60 s, memory again.
# The columns are those of docs/footprint.md. PORT and BIN may be set.
set -eu
cd "$(dirname "$0")/.."
dir=$(mktemp -d) port=${PORT:-17480}
trap 'kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
printf 'apiVersion: config.portico.dev/v1alpha1\nkind: ControlPlaneConfiguration\nname: footprint\ndir: %s\nport: %s\n%b\n' \
	"$dir" "$port" "${2:-}" >"$dir/config.yaml"

now() { date +%s%3N; }
ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
mib() { awk -v k="$1:" '$1 == k {printf "%d", $2 / 1024}' "/proc/$pid/status"; }

start=$(now)
"${BIN:-bin/portico-kube}" controlplane --config "$dir/config.yaml" >"$dir/log" 2>&1 &
pid=$!
until curl -sfk "https://127.0.0.1:$port/readyz" >/dev/null; do
	kill -0 $pid || { tail -1 "$dir/log" >&2; exit 1; }
	sleep 0.02
done
ready=$(($(now) - start)) cpu=$(ticks)
sleep 30
rss=$(mib VmRSS) anon=$(mib RssAnon)
idle=$(ticks)
sleep 60
idle=$(($(ticks) - idle))
printf '| %s | %s ms | %s.%02d s | %s | %s | %s | %s | %s.%s %% |\n' "$1" $ready $((cpu / 100)) $((cpu % 100)) \
	"$rss" "$anon" "$(mib VmRSS)" "$(mib RssAnon)" $((idle / 60)) $((idle % 60 * 10 / 60))
