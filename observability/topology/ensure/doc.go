// Package ensure makes the objects of a topology what they have to be, and removes those that
// nobody wants any more.
//
//	reads   ConfigMap, Secret, MultiClusterService, PromxyServerGroup, VMStorageConnection, VMUser
//	writes  those of them that were made for an owner, by server-side apply
//	never   an object that was made for somebody else, or by a user; one that is as wanted already
//
// For whom an object was made stands in an annotation, by which what an owner has is found again,
// also when the owner is gone. So no finalizer holds a cluster. Begin with Writer.
package ensure
