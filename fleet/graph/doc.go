// Package graph walks graphs of dependencies. It is pure.
package graph
