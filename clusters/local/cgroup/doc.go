// Package cgroup makes and removes the control groups of machines.
//
//	reads   /proc/self/mountinfo, /sys/fs/cgroup
//	writes  the folders portico/<machine> in every hierarchy under /sys/fs/cgroup
//
// It works with version 1, version 2, and hosts that have both. A machine's group bounds what all
// of the machine's processes use together, and is the root of the cgroup namespace in which
// they live. Begin with Hierarchies and Group.
package cgroup
