// Package addons has the objects that every child cluster with machines starts with: DNS, storage
// on the machines' disks, and the permissions of nodes.
//
// It is pure: a Config in, objects out, the same each time and in the order in which they are to
// be applied. The objects leave out whatever an administrator of the child may want to set, such as
// the number of DNS servers, so that server-side apply leaves it alone. Begin with Objects.
package addons
