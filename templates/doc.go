// Package templates holds the bundled charts and the objects that offer them.
//
// The charts below cluster/, provider/ and service/ are packed into an OCI layout when Portico is built
// (internal/bundle), and served from there. Objects is what a management plane has from the
// start: the repository of these charts, the templates, the Release that lists them, and the
// singletons that k0rdent's users expect.
//
// It is pure: it reads nothing but what is embedded. Begin with Objects and Charts.
package templates
