// Package directory knows the regions that questions go to: where the stores of each are, and by whom they
// are asked.
//
//	reads   the ConfigMaps of regions, whoever wrote them; the Secrets with the credentials of
//	        their admins, or those that a region names
//	writes  nothing
//	never   a Secret that a region's author could not read anyway: of its own namespace, or made for it
//
// It learns of changes by watching. A region keeps its connections as long as it stays where it is;
// credentials are replaced under them, and those before are still tried where the new ones are not
// known yet. A region that cannot be asked is in the directory, too, with the reason: answers say that they
// lack it. Begin with List and Directory.
package directory
