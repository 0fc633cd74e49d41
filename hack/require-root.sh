#!/bin/sh
# require-root.sh: fails, with the reason, unless run by root.
[ "$(id -u)" = 0 ] && exit 0
echo "The demo's node is made of Linux namespaces, which needs root: sudo make demo" >&2
exit 1
