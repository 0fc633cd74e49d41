// Package config is the one configuration of the program portico.
//
// Everything that can be set stands in Config, with its default in the comment of its field.
// A value comes from, later wins: the default (for the address: what the plane of the data
// folder was started with), the file (portico.yaml in the data folder, or
// the file that --config names), the environment (PORTICO_DATA, PORTICO_LISTEN), the flags.
// Load is the only place that knows this order. Files are decoded strictly: a misspelt key
// is an error that names it.
//
// It reads the file and nothing else; it never writes. Begin with Config.
package config
