package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// This file restates the status of Velero's Backup.

// VeleroBackupPhase says how far a backup is.
// +kubebuilder:validation:Enum=New;Queued;ReadyToStart;FailedValidation;InProgress;WaitingForPluginOperations;WaitingForPluginOperationsPartiallyFailed;Finalizing;FinalizingPartiallyFailed;Completed;PartiallyFailed;Failed;Deleting
type VeleroBackupPhase string

const (
	// VeleroBackupNew means that nothing has been done yet.
	VeleroBackupNew VeleroBackupPhase = "New"
	// VeleroBackupFailedValidation means that the backup was refused.
	VeleroBackupFailedValidation VeleroBackupPhase = "FailedValidation"
	// VeleroBackupInProgress means that the backup is being made.
	VeleroBackupInProgress VeleroBackupPhase = "InProgress"
	// VeleroBackupCompleted means that the backup was made.
	VeleroBackupCompleted VeleroBackupPhase = "Completed"
	// VeleroBackupPartiallyFailed means that something is missing from the backup.
	VeleroBackupPartiallyFailed VeleroBackupPhase = "PartiallyFailed"
	// VeleroBackupFailed means that the backup could not be made.
	VeleroBackupFailed VeleroBackupPhase = "Failed"
	// VeleroBackupDeleting means that the backup is being removed.
	VeleroBackupDeleting VeleroBackupPhase = "Deleting"
)

// VeleroBackupStatus is what Velero says of a backup.
type VeleroBackupStatus struct {
	// Version of the backup's format, major part.
	//
	// Deprecated: look at formatVersion.
	// +optional
	Version int `json:"version,omitempty"`
	// FormatVersion of the backup, major and minor part.
	// +optional
	FormatVersion string `json:"formatVersion,omitempty"`
	// Expiration is when the backup may be removed.
	// +optional
	// +nullable
	Expiration *metav1.Time `json:"expiration,omitempty"`
	// Phase says how far the backup is.
	// +optional
	Phase VeleroBackupPhase `json:"phase,omitempty"`
	// QueuePosition is the place of the backup in the queue.
	// +optional
	QueuePosition int `json:"queuePosition,omitempty"`
	// ValidationErrors say why the backup was refused.
	// +optional
	// +nullable
	ValidationErrors []string `json:"validationErrors,omitempty"`
	// StartTimestamp is when the backup was begun.
	// +optional
	// +nullable
	StartTimestamp *metav1.Time `json:"startTimestamp,omitempty"`
	// CompletionTimestamp is when the backup ended, well or not.
	// +optional
	// +nullable
	CompletionTimestamp *metav1.Time `json:"completionTimestamp,omitempty"`
	// VolumeSnapshotsAttempted is the number of volume snapshots tried.
	// +optional
	VolumeSnapshotsAttempted int `json:"volumeSnapshotsAttempted,omitempty"`
	// VolumeSnapshotsCompleted is the number of volume snapshots that succeeded.
	// +optional
	VolumeSnapshotsCompleted int `json:"volumeSnapshotsCompleted,omitempty"`
	// FailureReason says why the whole backup failed.
	// +optional
	FailureReason string `json:"failureReason,omitempty"`
	// Warnings is the number of warnings in the log of the backup.
	// +optional
	Warnings int `json:"warnings,omitempty"`
	// Errors is the number of errors in the log of the backup.
	// +optional
	Errors int `json:"errors,omitempty"`
	// Progress says how many items are done.
	// +optional
	// +nullable
	Progress *VeleroBackupProgress `json:"progress,omitempty"`
	// CSIVolumeSnapshotsAttempted is the number of CSI snapshots tried.
	// +optional
	CSIVolumeSnapshotsAttempted int `json:"csiVolumeSnapshotsAttempted,omitempty"`
	// CSIVolumeSnapshotsCompleted is the number of CSI snapshots that succeeded.
	// +optional
	CSIVolumeSnapshotsCompleted int `json:"csiVolumeSnapshotsCompleted,omitempty"`
	// BackupItemOperationsAttempted is the number of plugin operations begun.
	// +optional
	BackupItemOperationsAttempted int `json:"backupItemOperationsAttempted,omitempty"`
	// BackupItemOperationsCompleted is the number of plugin operations that succeeded.
	// +optional
	BackupItemOperationsCompleted int `json:"backupItemOperationsCompleted,omitempty"`
	// BackupItemOperationsFailed is the number of plugin operations that failed.
	// +optional
	BackupItemOperationsFailed int `json:"backupItemOperationsFailed,omitempty"`
	// HookStatus says how the hooks went.
	// +optional
	// +nullable
	HookStatus *VeleroHookStatus `json:"hookStatus,omitempty"`
}

// VeleroBackupProgress says how many items are done.
type VeleroBackupProgress struct {
	// TotalItems is the number of items known so far.
	// +optional
	TotalItems int `json:"totalItems,omitempty"`
	// ItemsBackedUp is the number of items done.
	// +optional
	ItemsBackedUp int `json:"itemsBackedUp,omitempty"`
}

// VeleroHookStatus says how the hooks of a backup went.
type VeleroHookStatus struct {
	// HooksAttempted is the number of hooks tried.
	// +optional
	HooksAttempted int `json:"hooksAttempted,omitempty"`
	// HooksFailed is the number of hooks that failed.
	// +optional
	HooksFailed int `json:"hooksFailed,omitempty"`
}
