// Package follow wakes controllers for objects of kinds that are not known when the program is
// written: those that users name.
//
//	reads   the metadata of all objects of each kind that somebody follows
//	writes  nothing
//
// A kind is watched from when somebody first follows an object of it, until the program ends. Begin
// with Objects.
package follow
