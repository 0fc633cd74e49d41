// Package vmalert hands rules to a vmalert.
//
//	reads   its own folder
//	writes  a file for each group of rules, and asks vmalert to read them
//	never   starts vmalert: Flags says how it is to be started
//
// Begin with Folder.
package vmalert
