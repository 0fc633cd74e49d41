{{/* labels (list . COMPONENT) */}}
{{- define "kof-storage.labels" -}}
app.kubernetes.io/name: kof-storage
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* image IMAGE */}}
{{- define "kof-storage.image" -}}
image: {{ printf "%s:%s" .repository .tag }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}

{{/* container: what all containers may not do. */}}
{{- define "kof-storage.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* pod .: what all pods have in common. Volumes become the group's, so that nobody needs to be root. */}}
{{- define "kof-storage.pod" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* password .: the Secret's password as a file, which VictoriaMetrics' programs read again. */}}
{{- define "kof-storage.credentials" -}}
- name: credentials
  secret: {secretName: {{ .Values.credentials.secretName }}, defaultMode: 0440}
{{- end }}

{{/* probes (list PORT SCHEME) */}}
{{- define "kof-storage.probes" -}}
{{- $get := printf "httpGet: {path: /health, port: %d, scheme: %s}" (int (index . 0)) (index . 1) -}}
startupProbe: { {{- $get }}, periodSeconds: 2, failureThreshold: 150}
readinessProbe: { {{- $get }}, periodSeconds: 5}
livenessProbe: { {{- $get }}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
{{- end }}

{{/* claim (list . SIZE CLASS) */}}
{{- define "kof-storage.claim" -}}
persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
volumeClaimTemplates:
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with coalesce (index . 2) (index . 0).Values.global.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ index . 1 }}}}
{{- end }}

{{/* metrics . and records . are the values of the two stores as JSON, with those that k0rdent's chart has at other places. */}}
{{- define "kof-storage.metrics" -}}
{{- $m := .Values.metrics }}
{{- $k := .Values.victoriametrics | default dict }}
{{- $claim := dig "vmcluster" "spec" "vmstorage" "storage" "volumeClaimTemplate" "spec" dict $k }}
{{- dict "enabled" (and $m.enabled (ne (dig "enabled" true $k) false))
    "retention" (dig "vmcluster" "spec" "retentionPeriod" $m.retention $k)
    "size" (dig "resources" "requests" "storage" $m.size $claim)
    "class" (dig "storageClassName" "" $claim) | toJson }}
{{- end }}
{{- define "kof-storage.records" -}}
{{- $r := .Values.records }}
{{- $k := dig "vlstorage" dict (index .Values "victoria-logs-cluster" | default dict) }}
{{- dict "enabled" $r.enabled
    "retention" (dig "retentionPeriod" (dig "extraArgs" "retentionPeriod" $r.retention $k) $k)
    "size" (dig "persistentVolume" "size" $r.size $k)
    "class" (dig "persistentVolume" "storageClassName" "" $k) | toJson }}
{{- end }}

{{/* writes .: where metrics are written to. portico-store keeps them until VictoriaMetrics has them on disk. */}}
{{- define "kof-storage.writes" -}}
{{- ternary "http://portico-store:9428" "http://vmsingle-cluster:8428" (include "kof-storage.records" . | fromJson).enabled }}
{{- end }}
