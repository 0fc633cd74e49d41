#!/bin/sh
# progress.sh COMMAND...: runs a command that calls `go build`, and shows how many packages were
# compiled so far instead of what would be silence for minutes. Everything else that the command
# says passes through; so does its exit status.
export GOFLAGS="${GOFLAGS:-} -v"
{ "$@" 2>&1; echo "exit-status $?"; } | awk -v tty="$([ -t 1 ] && echo 1)" '
	/^exit-status [0-9]+$/ { status = $2; next }
	/^[a-zA-Z0-9_.~!\/-]+$/ {
		n++
		if (tty) printf "\r      %d packages compiled", n
		else if (n % 200 == 0) printf "      %d packages compiled\n", n
		fflush(); next
	}
	{ if (tty && n) printf "\r"; print; fflush() }
	END { if (tty && n) printf "\n"; exit status }'
