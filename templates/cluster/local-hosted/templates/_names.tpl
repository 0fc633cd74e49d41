{{- /* The cluster is called as the release. */}}
{{- define "cluster.name" -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* All pools as JSON: the default one first, each with a whole machine. */}}
{{- define "cluster.pools" -}}
{{- $pools := list (dict "name" "md" "workersNumber" .Values.workersNumber "machine" .Values.machine) }}
{{- range .Values.pools }}
{{- $machine := mergeOverwrite (deepCopy $.Values.machine) (deepCopy (.machine | default dict)) }}
{{- $number := 1 }}
{{- if hasKey . "workersNumber" }}{{ $number = .workersNumber }}{{ end }}
{{- $pools = append $pools (dict "name" .name "workersNumber" $number "machine" $machine) }}
{{- end }}
{{- dict "pools" $pools | toJson }}
{{- end }}

{{- /* The spec of a machine as JSON, from the values' "machine". */}}
{{- define "machine.spec" -}}
{{- $spec := dict "kind" .kind "cpus" (int .cpus) "memory" (toString .memory) }}
{{- with .labels }}{{ $_ := set $spec "nodeLabels" . }}{{ end }}
{{- toJson $spec }}
{{- end }}

{{- /* A machine template never changes: another machine is another template. So its name carries a
hash of the whole machine, and Cluster API replaces the machines of the pool. */}}
{{- define "machine.template" -}}
{{ .cluster }}-{{ .pool.name }}-{{ include "machine.spec" .pool.machine | sha256sum | trunc 8 }}
{{- end }}

{{- /* Isolated where there is a real machine, else Host. */}}
{{- define "cluster.network" -}}
{{- $real := list }}
{{- range (include "cluster.pools" . | fromJson).pools }}
{{- if eq .machine.kind "Real" }}{{ $real = append $real .name }}{{ end }}
{{- end }}
{{- if eq .Values.network "Auto" }}
{{- ternary "Isolated" "Host" (gt (len $real) 0) }}
{{- else if and (eq .Values.network "Host") $real }}
{{- fail (printf "network: Host serves virtual machines only, but pool %q has real ones; use network: Isolated" (first $real)) }}
{{- else }}
{{- .Values.network }}
{{- end }}
{{- end }}

{{- /* Name and key of a ConfigMap or Secret. */}}
{{- define "key.ref" -}}
{{- dict "name" .name "key" .key | toJson }}
{{- end }}
