#!/bin/sh
# install-packages.sh: installs the packages of hack/apt.txt that are missing, and says so first.
set -eu
cd "$(dirname "$0")/.."
missing=$(grep -v '^#' hack/apt.txt | while read -r name file; do [ -e "$file" ] || echo "$name"; done | tr '\n' ' ')
[ -n "$missing" ] || exit 0
echo "Missing packages: $missing"
if ! command -v apt-get >/dev/null; then
	echo "There is no apt-get here: install them, or what they are called on this system, yourself." >&2
	exit 1
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "Installing them with apt-get."
$sudo apt-get update -q
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $missing
