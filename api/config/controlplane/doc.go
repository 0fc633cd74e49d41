// Package controlplane reads ControlPlaneConfiguration files.
//
// It is pure: bytes in, a complete and valid configuration or an error that names every wrong
// field out. The program that runs the control plane and the controllers that write the file
// use the same functions, so that a file which was written is a file which starts. It reads
// and writes no files. Begin with Decode.
package controlplane
