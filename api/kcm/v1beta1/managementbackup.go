package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ManagementBackupSpec says when a backup is made and where it goes.
type ManagementBackupSpec struct {
	// StorageLocation is the name of a BackupStorageLocation of Velero. Empty means its default.
	// +optional
	StorageLocation string `json:"storageLocation,omitempty"`
	// Schedule is a cron expression in UTC. Empty means one backup, now.
	// +optional
	Schedule string `json:"schedule,omitempty"`
	// PerformOnManagementUpgrade makes a backup before the management plane is upgraded. It has
	// no effect without a schedule.
	// +optional
	PerformOnManagementUpgrade bool `json:"performOnManagementUpgrade,omitempty"`
}

// BackupState says how the last backup of one cluster went.
type BackupState struct {
	// LastBackup is what Velero says of the last backup.
	// +optional
	LastBackup *VeleroBackupStatus `json:"lastBackup,omitempty"`
	// NextAttempt is when the next backup is due.
	// +optional
	NextAttempt *metav1.Time `json:"nextAttempt,omitempty"`
	// LastBackupTime is when the last backup was made.
	// +optional
	LastBackupTime *metav1.Time `json:"lastBackupTime,omitempty"`
	// LastBackupName is the name of Velero's object for the last backup.
	// +optional
	LastBackupName string `json:"lastBackupName,omitempty"`
	// Region is the name of the region. Empty means the management cluster.
	// +optional
	Region string `json:"region,omitempty"`
	// Error says what keeps backups from being made.
	// +optional
	Error string `json:"error,omitempty"`
}

// ManagementBackupStatus says how the last backups went.
type ManagementBackupStatus struct {
	BackupState `json:",inline"`

	// Regions says how the backups of the regions went.
	// +optional
	Regions []BackupState `json:"regions,omitempty"`
}

// ManagementBackup saves the state of the management plane with Velero: once, or on a schedule.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=managementbackups,scope=Cluster,shortName=kcmbackup;mgmtbackup
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:printcolumn:name=LastBackupStatus,type=string,JSONPath=`.status.lastBackup.phase`
// +kubebuilder:printcolumn:name=NextBackup,type=string,JSONPath=`.status.nextAttempt`
// +kubebuilder:printcolumn:name=SinceLastBackup,type=date,JSONPath=`.status.lastBackupTime`,priority=1
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name=Error,type=string,JSONPath=`.status.error`,priority=1
type ManagementBackup struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the wish.
	// +optional
	Spec ManagementBackupSpec `json:"spec,omitempty"`
	// Status is what was observed.
	// +optional
	Status ManagementBackupStatus `json:"status,omitempty"`
}

// ManagementBackupList is a list of objects of kind ManagementBackup.
//
// +kubebuilder:object:root=true
type ManagementBackupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the objects.
	Items []ManagementBackup `json:"items"`
}
