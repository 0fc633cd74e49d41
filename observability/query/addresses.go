package query

import (
	"regexp"

	"portico.dev/portico/observability/store"
)

// addresses are where something is reached, as errors of the network have it: URLs, IP addresses and ports,
// and what names are looked up where.
var addresses = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>\\]*[^\s"'<>\\:;,.)]|\blookup [^\s:]+(?: on \S*[^\s:])?|` +
	`\[[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[^\]\s]*)?\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\blocalhost:\d+\b`)

// WithoutAddresses is a text without what is for those who run the plane alone: where its stores and programs
// are reached. Each address becomes the word "(address)".
func WithoutAddresses(text string) string { return addresses.ReplaceAllString(text, "(address)") }

// shown is an explanation as a scope may see it: everybody's is that of those who run the plane.
func shown(in store.Scope, why string) string {
	if in.All() {
		return why
	}
	return WithoutAddresses(why)
}
