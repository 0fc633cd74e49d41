// Package program is the multi-call front of portico-kube: one binary, many upstream programs.
//
// The program is chosen by the name under which the binary was called (a link named kubelet)
// or by its first argument. Each is upstream's own command, unmodified. It reads arguments and
// hands over; it writes nothing. Only the chosen command is built, because building one
// registers flags and signal handlers of the whole process. Begin with Run.
package program
