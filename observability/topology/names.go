package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"hash/fnv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// Annotations of our own.
const (
	prefix = "observability.portico.dev/"
	// ForAnnotation says for which object something was made: kind/namespace/name.
	ForAnnotation = prefix + "for"
	// DigestAnnotation is the digest of what was wanted when an object was written.
	DigestAnnotation = prefix + "digest"
	// UserAnnotation is the name of a user of stores: on the ConfigMap of a cluster, and on
	// the Secret with its credentials.
	UserAnnotation = prefix + "user"
	// RotateAnnotation, on a ClusterDeployment or on a region's ConfigMap, asks for new
	// credentials whenever its value changes.
	RotateAnnotation = prefix + "rotate-credentials"
	// RotatedAnnotation, on a Secret, is the value of RotateAnnotation that was acted on;
	// RotatedAtAnnotation is when.
	RotatedAnnotation   = prefix + "rotated"
	RotatedAtAnnotation = prefix + "rotated-at"
	// How an object without conditions of ours is doing, as Readiness.Annotations writes it.
	readyAnnotation   = prefix + "telemetry-ready"
	reasonAnnotation  = prefix + "telemetry-reason"
	messageAnnotation = prefix + "telemetry-message"
)

// NamespaceLabel repeats the namespace of a ClusterDeployment.
const NamespaceLabel = fleet.ClusterNamespaceLabel

// Owner is whom something is made for.
type Owner struct {
	// Kind is ClusterDeployment or ConfigMap.
	Kind string `json:"kind"`
	types.NamespacedName
}

// String is the value of ForAnnotation.
func (o Owner) String() string { return o.Kind + "/" + o.Namespace + "/" + o.Name }

// ParseOwner reads the value of ForAnnotation.
func ParseOwner(text string) (Owner, bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return Owner{}, false
	}
	return Owner{parts[0], types.NamespacedName{Namespace: parts[1], Name: parts[2]}}, true
}

// RegionConfig and ChildConfig are the names of the ConfigMaps of a region and of a child.
func RegionConfig(cluster string) string { return "kof-" + cluster }

// ChildConfig is the name of the ConfigMap of a child.
func ChildConfig(cluster string) string { return "kof-cluster-config-" + cluster }

// RecordRules is the name of the ConfigMap with the recording rules of a region.
func RecordRules(cluster string) string { return "kof-record-vmrules-" + cluster }

// ChildUser is the name of a child's user: what Helm's adler32sum makes of the name and namespace of its ConfigMap.
func ChildUser(child types.NamespacedName) string {
	return checksum(ChildConfig(child.Name) + "/" + child.Namespace)
}

// AdminUser is the name of the user that reads and writes all of a region, by the region's ConfigMap.
func AdminUser(config types.NamespacedName) string {
	return "admin-" + checksum(config.Name+"/"+config.Namespace)
}

// Longer is the name that somebody gets whose short name another one has: two owners with the
// same checksum would share credentials, or write over each other's objects.
func Longer(short string, of Owner) string {
	sum := sha256.Sum256([]byte(of.String()))
	return short + "-" + hex.EncodeToString(sum[:5])
}

// Credentials, UserObject and UserPropagation are the names of what belongs to a user: its
// Secret, its VMUser, and the MultiClusterService that brings both to its region.
func Credentials(user string) string { return "kof-vmuser-creds-" + user }

// UserObject is the name of a user's VMUser.
func UserObject(user string) string { return "kof-vmuser-" + user }

// PreviousObject is the name of the VMUser of a password that was replaced.
func PreviousObject(user string) string { return UserObject(user) + "-previous" }

// UserPropagation is the name of the MultiClusterService that brings a user to its region.
func UserPropagation(user string) string { return "kof-vmuser-propagation-" + user }

// ConfigPropagation is the name of the MultiClusterService that brings a child's ConfigMap to the
// cluster that runs Cluster API for it.
func ConfigPropagation(child string) string { return hashed("kof-child-config-propagation", child) }

// RulesPropagation is the name of the MultiClusterService that brings a region's recording rules there.
func RulesPropagation(config string) string { return hashed("kof-vm-rules-propagation", config) }

// ServerGroup is the name of a region's PromxyServerGroup, by the region's ConfigMap.
func ServerGroup(config types.NamespacedName) string {
	return hashed("promxy-server-group", config.Name+"/"+config.Namespace)
}

// Connection is the name of a region's VMStorageConnection for a kind of data.
func Connection(of Data, config types.NamespacedName) string {
	return hashed("kof-"+string(of)+"-storage-connection", config.Name+"/"+config.Namespace)
}

// Data is what a VMStorageConnection is for.
type Data string

// What VMStorageConnections are for.
const (
	Traces    Data = "traces"
	Logs      Data = "logs"
	AuditLogs Data = "audit-logs"
)

func hashed(prefix, text string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // a hash takes everything
	return fmt.Sprintf("%s-%x", prefix, h.Sum32())
}

func checksum(text string) string { return fmt.Sprint(adler32.Checksum([]byte(text))) }

// generated are the labels of everything that is made.
func generated(more map[string]string) map[string]string {
	out := map[string]string{kof.ManagedByLabel: kof.ManagedBy}
	for key, value := range more {
		if value != "" {
			out[key] = value
		}
	}
	return out
}
