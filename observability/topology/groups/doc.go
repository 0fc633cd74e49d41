// Package groups looks after PromxyServerGroups: whether each can be asked, and, where Promxy is
// installed, its configuration.
//
//	reads   PromxyServerGroup, the Secrets with their credentials
//	writes  PromxyServerGroup.status; the key config.yaml of the Secret that groups name in the
//	        label k0rdent.mirantis.com/secret-name, where that Secret exists
//	never   Promxy itself: it reads its configuration when the file changes
//
// Portico asks the regions itself, and needs no Promxy. Begin with Judge and Render.
package groups
