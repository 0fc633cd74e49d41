// Package install puts into the management API server what the plane needs there.
//
// These are the definitions of all kinds, the webhook configurations of Cluster API (pointed
// to the manager's address on loopback, since there are no Services here), the access rules of
// the plane's programs, and the system namespace. All of it in parallel under one field
// owner; installing again writes nothing.
//
// It never removes anything and never touches users' objects. Begin with Installer.
package install
