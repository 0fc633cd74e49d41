package lab

import (
	"bytes"
	"testing"

	"golang.org/x/tools/txtar"

	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/state/engine/enginetest"
)

// files is the chart that the suite asks for.
const files = `
-- Chart.yaml --
{apiVersion: v2, name: app, version: VERSION}
-- values.yaml --
text: ""
run: false
-- templates/text.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {text: {{ .Values.text | quote }}}
-- templates/workload.yaml --
{{- if .Values.run }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers: [{name: main, image: example/app, volumeMounts: [{name: text, mountPath: /text}]}]
      volumes: [{name: text, configMap: {name: {{ .Release.Name }}}}]
{{- end }}
`

// oddities are the files that make the chart odd.
var oddities = map[enginetest.Odd]string{
	enginetest.StrictSchema: `
-- values.schema.json --
{"type": "object", "properties": {"text": {"type": "string", "pattern": "^[a-z]*$"}, "run": {"type": "boolean"}}}
`,
	enginetest.FailingHook: `
-- templates/hook.yaml --
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: example/hook}]}
`,
	enginetest.RemovalHook: `
-- templates/hook.yaml --
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: pre-delete}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: example/hook}]}
`,
	enginetest.LateKind: `
-- templates/late.yaml --
apiVersion: suite.example.com/v1
kind: Late
metadata: {name: {{ .Release.Name }}}
`,
}

// Pack is the archive of the suite's chart in a version, with more files, in the form of txtar.
func Pack(t testing.TB, version, more string) []byte {
	t.Helper()
	var packed []archive.File
	for _, f := range txtar.Parse([]byte(files + more)).Files {
		packed = append(packed, archive.File{Name: "app/" + f.Name, Data: bytes.ReplaceAll(f.Data, []byte("VERSION"), []byte(version))})
	}
	var out bytes.Buffer
	if err := archive.Pack(&out, packed); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
