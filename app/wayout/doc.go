// Package wayout decides how local clusters reach what this computer reaches: by which name servers
// and by which proxy.
//
//	reads   the configuration, /etc/resolv.conf and the environment, all handed in
//	writes  nothing
//
// What this computer asks at its own loopback address, a cluster cannot: that address is the
// cluster's own. Begin with Decide.
package wayout
