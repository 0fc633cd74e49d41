// Package template reconciles ClusterTemplates, ServiceTemplates and ProviderTemplates.
//
//	reads   the template, its HelmChart or other source and that source's artifact, Releases
//	writes  HelmChart or source object of the template's name, ConfigMap schema-{ct,st,pt}-<name>,
//	        the template's status and owner references
//
// A template is valid when its chart could be fetched and read and what it says about
// providers, contracts and versions is well formed. The specs of templates are immutable, so a
// verdict only changes with the artifact. Nothing is polled: the sources are watched. Begin
// with Read (what a chart says of itself) and Judge.
package template
