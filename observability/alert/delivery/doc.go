// Package delivery brings the rules to where they are evaluated, and the receivers to Alertmanager.
//
//	reads   PrometheusRules and ConfigMaps with rules in its own namespace, the Secret or ConfigMap
//	        "portico-alertmanager" there, and ConfigMaps that ask for recording rules in all
//	writes  ConfigMap "kof-mothership-promxy-rules", the data of ConfigMaps that ask for recording
//	        rules, ConfigMap "portico-alert-rules" with what is wrong, rule files, Alertmanager's file
//	never   writes a ConfigMap whose label kof-generated says that it is the user's: what is in it is
//	        evaluated instead
//
// There is one pass over everything, since a rule of one object changes those of others. Rules of
// other namespaces are not read: who may write there may not read all clusters' metrics.
//
// Begin with Decide, then Controller.
package delivery
