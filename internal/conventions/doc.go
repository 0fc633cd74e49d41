// Package conventions holds the few rules of this repository that are tests.
//
// The rules read the source as text and syntax, so they need no build and cover the build
// tags of every platform. A rule that must be broken somewhere names the place and the reason
// in its own table: begin with conventions_test.go.
package conventions
