// Package pack makes container images out of static programs, and writes them to an OCI layout.
//
//	reads   the programs' files
//	writes  an OCI image layout folder
//
// The same programs give the same bytes: times are fixed, files are sorted, and nothing of the
// building machine gets in. Images have no base: besides the program they hold what a program may
// count on, /etc/passwd, /etc/group and /tmp. Begin with Write.
package pack
