{{/* config (list . ROLE): the configuration of a role. files/ROLE.yaml is what the package
observability/collect writes for a cluster without a name; here it gets its own. */}}
{{- define "kof-collectors.config" -}}
{{- $root := index . 0 }}
{{- $role := index . 1 }}
{{- $v := $root.Values }}
{{- $c := $root.Files.Get (printf "files/%s.yaml" $role) | fromYaml }}
{{- $endpoints := dict "prometheusremotewrite" (list "endpoint" $v.kof.metrics.endpoint) "otlphttp/logs" (list "logs_endpoint" $v.kof.logs.endpoint) "otlphttp/logs-audit" (list "logs_endpoint" $v.kof.audit.endpoint) "otlphttp/traces" (list "traces_endpoint" $v.kof.traces.endpoint) }}
{{- range $name, $to := $endpoints }}
{{- $exporter := index $c.exporters $name }}
{{- if $exporter }}
{{- $_ := set $exporter (index $to 0) (index $to 1) }}
{{- if $v.kof.tls_options.insecure_skip_verify }}
{{- $_ := set $exporter "tls" (dict "insecure_skip_verify" true) }}
{{- else if $v.kof.tls_options.ca_pem }}
{{- $_ := set $exporter "tls" (dict "ca_pem" $v.kof.tls_options.ca_pem "include_system_ca_certs_pool" true) }}
{{- end }}
{{- if not $v.kof.basic_auth }}
{{- $_ := unset (unset $exporter "auth") "middlewares" }}
{{- end }}
{{- end }}
{{- end }}
{{- if not $v.kof.basic_auth }}
{{- $_ := unset (unset $c.extensions "basicauth/store") "await_credentials" }}
{{- $_ := set $c.service "extensions" (without $c.service.extensions "basicauth/store" "await_credentials") }}
{{- end }}
{{- $labels := dict "cluster" $v.global.clusterName "tenant" $v.global.tenant }}
{{- $attributes := list (dict "action" "upsert" "key" "k8s.cluster.name" "value" $v.global.clusterName) (dict "action" "upsert" "key" "tenant" "value" $v.global.tenant) }}
{{- if $v.global.clusterNamespace }}
{{- $_ := set $labels "clusterNamespace" $v.global.clusterNamespace }}
{{- $attributes = append $attributes (dict "action" "upsert" "key" "k8s.cluster.namespace" "value" $v.global.clusterNamespace) }}
{{- end }}
{{- $_ := set $c.exporters.prometheusremotewrite "external_labels" $labels }}
{{- $_ := set (index $c.processors "resource/k8sclustername") "attributes" $attributes }}
{{- $_ := set $c.service.telemetry "resource" (dict "k8s.cluster.name" $v.global.clusterName "tenant" $v.global.tenant) }}
{{- $machines := index $c.processors "transform/machines" }}
{{- if and $machines $v.global.cloudProvider }}
{{- $_ := set $machines "metric_statements" (append $machines.metric_statements (printf "set(resource.attributes[\"cloud.provider\"], %q) where resource.attributes[\"k8s.pod.uid\"] == nil" $v.global.cloudProvider)) }}
{{- end }}
{{- $limit := div (mul (index $v.collectors $role).memoryMiB 2) 3 }}
{{- $_ := set $c.processors "memory_limiter" (dict "check_interval" "1s" "limit_mib" $limit "spike_limit_mib" (div $limit 4)) }}
{{- mergeOverwrite $c (index $v.collectors $role).config | toYaml }}
{{- end }}

{{/* labels (list . ROLE) */}}
{{- define "kof-collectors.labels" -}}
app.kubernetes.io/name: kof-collectors
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* pod (list . ROLE): what the pods of both roles have in common. */}}
{{- define "kof-collectors.pod" -}}
{{- $root := index . 0 }}
{{- $role := index . 1 }}
{{- $v := $root.Values }}
{{- $this := index $v.collectors $role }}
metadata:
  labels:
    {{- include "kof-collectors.labels" . | nindent 4 }}
    k0rdent.mirantis.com/kof-collector-metrics: collector
  annotations:
    # A collector reads its configuration once: another one is another pod.
    checksum/config: {{ include "kof-collectors.config" . | sha256sum }}
    prometheus.io/scrape: "true"
    prometheus.io/port: "8888"
    kof.k0rdent.mirantis.com/collector-metrics-port: "8888"
spec:
  serviceAccountName: kof-collectors
  priorityClassName: system-node-critical
  terminationGracePeriodSeconds: 30
  {{- with $this.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $this.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  containers:
  - name: collector
    image: {{ printf "%s:%s" $v.image.repository $v.image.tag }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    args:
    - --config=file:/conf/collector.yaml
    - --feature-gates=exporter.prometheusremotewritexporter.RetryOn429
    env:
    - {name: GOMEMLIMIT, value: {{ div (mul $this.memoryMiB 3) 4 }}MiB}
    - {name: GOGC, value: "50"}
    - {name: OTEL_K8S_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: OTEL_K8S_NODE_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
    {{- if $v.kof.basic_auth }}
    - name: KOF_VM_USER
      valueFrom: {secretKeyRef: {name: {{ $v.kof.credentials_secret_name }}, key: {{ $v.kof.username_key }}}}
    - name: KOF_VM_PASSWORD
      valueFrom: {secretKeyRef: {name: {{ $v.kof.credentials_secret_name }}, key: {{ $v.kof.password_key }}}}
    {{- end }}
    readinessProbe: {httpGet: {path: /, port: 13133}, periodSeconds: 5}
    livenessProbe: {httpGet: {path: /, port: 13133}, initialDelaySeconds: 15, failureThreshold: 6}
    resources:
      {{- toYaml $this.resources | nindent 6 }}
    # Log files and the queue belong to root.
    securityContext:
      runAsUser: 0
      runAsGroup: 0
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL], add: [DAC_READ_SEARCH]}
    volumeMounts:
    - {name: config, mountPath: /conf, readOnly: true}
    - {name: queue, mountPath: /var/lib/otelcol/file_storage}
    {{- if eq $role "daemon" }}
    - {name: logs, mountPath: /var/log, readOnly: true}
    - {name: root, mountPath: /hostfs, readOnly: true, mountPropagation: HostToContainer}
    {{- end }}
  volumes:
  - name: config
    configMap: {name: {{ printf "kof-collectors-%s" $role }}}
  - name: queue
    hostPath: {path: {{ $v.queue.hostPath }}, type: DirectoryOrCreate}
  {{- if eq $role "daemon" }}
  - name: logs
    hostPath: {path: /var/log}
  - name: root
    hostPath: {path: /}
  {{- end }}
{{- end }}
