// Package volumes provisions persistent volumes as folders of the node that it runs on.
//
//	reads   PersistentVolumeClaims, PersistentVolumes, StorageClasses
//	writes  PersistentVolumes, and a folder below Root for each
//
// One worker runs on every node and looks after that node's volumes only: claims that the scheduler
// has placed there, and released volumes that are there. A volume's folder is made before its
// PersistentVolume and removed before it, so that every folder has an owner that says when it goes.
// What to do is decided in plan.go, without I/O. Begin with Worker.
package volumes
