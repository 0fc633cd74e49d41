// Package release reconciles Releases: can every component of the release be made?
//
//	reads   Release, ProviderTemplate
//	writes  Release.status; the label that puts it into backups
//	never   a spec, a ProviderTemplate, or anything on behalf of a Release: that one exists
//	        changes nothing until a Management names it
//
// A Release is ready when every ProviderTemplate that it lists exists and is valid. Templates
// are watched, so the answer is as new as theirs. Begin with Status.
package release
