package values_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/state/values"
)

func facts() values.Facts {
	return values.Facts{
		Cluster: map[string]any{
			"metadata": map[string]any{"name": "dev", "namespace": "team-a", "labels": map[string]any{"env": "test"}, "annotations": map[string]any{"k8s.io/x": "y"}},
			"spec":     map[string]any{"paused": false, "nodes": int64(3)},
		},
		InfrastructureProvider: map[string]any{"kind": "LocalCluster"},
		MgmtResources: map[string]map[string]any{
			"Config": {"kind": "ConfigMap", "metadata": map[string]any{"name": "c", "resourceVersion": "7", "uid": "u", "managedFields": []any{}}, "data": map[string]any{"b": "2", "a": "1"}},
			"Absent": nil,
		},
	}
}

func TestText(t *testing.T) {
	tests := []struct{ name, why, text, want string }{
		{"Plain", "Text without an expression passes untouched, whatever it looks like.", "a: }} %d {x}\n", "a: }} %d {x}\n"},
		{"Cluster", "The target's object is there under its kind.", "name: {{ .Cluster.metadata.name }}", "name: dev"},
		{"Index", "Keys that are no identifiers are reached with index.", `{{ index .Cluster.metadata.annotations "k8s.io/x" }}`, "y"},
		{"Number", "Numbers stay numbers.", "{{ add .Cluster.spec.nodes 1 }}", "4"},
		{"Infrastructure", "KOF asks for the kind of the infrastructure.", `{{ if eq .InfrastructureProvider.kind "LocalCluster" }}local{{ end }}`, "local"},
		{"NoControlPlane", "A cluster without a kubeadm control plane is no error until it is quoted.", "{{ if .KubeadmControlPlane }}a{{ else }}b{{ end }}", "b"},
		{"Resource", "Objects of templateResourceRefs are reached by identifier.", `{{ (getResource "Config").data.a }}{{ .MgmtResources.Config.data.b }}`, "12"},
		{"Absent", "An optional object that does not exist is nothing.", `{{ if getResource "Absent" }}a{{ else }}b{{ end }}{{ copy "Absent" }}`, "b"},
		{"Copy", "A copy is without what changes by itself.", `{{ copy "Config" }}`, "data:\n  a: \"1\"\n  b: \"2\"\nkind: ConfigMap\nmetadata:\n  name: c"},
		{"Field", "A field by its path; one that is not there is an empty text.", `{{ getField "Config" "data.a" }}{{ getField "Config" "data.x" | default "none" }}`, "1none"},
		{"SetField", "A field can be set in a copy.", `{{ setField "Config" "data" (dict "x" 1) }}`, "data:\n  x: 1\nkind: ConfigMap\nmetadata:\n  name: c"},
		{"RemoveField", "A field can be left out of a copy.", `{{ removeField "Config" "data" }}`, "kind: ConfigMap\nmetadata:\n  name: c"},
		{"Chain", "The chain functions hand the object on.", `{{ $u := chainRemoveField (chainSetField (getResource "Config") "data.c" "3") "metadata" }}{{ toJson $u }}`, `{"data":{"a":"1","b":"2","c":"3"},"kind":"ConfigMap"}`},
		{"Untouched", "What one expression changes, the next does not see: it worked on a copy.", `{{ $x := setField "Config" "data.a" "9" }}{{ getField "Config" "data.a" }}`, "1"},
		{"KOF", "What KOF's values use beside.", `{{ dig "a" "b" "none" (fromYaml "a: {b: c}") }}{{ mergeOverwrite (dict "a" 1) (dict "a" 2) | toJson }}{{ "x" | adler32sum }}{{ "a: 1" | nindent 2 }}`, "c{\"a\":2}7929977\n  a: 1"},
		{"Toml", "TOML is read and written.", `{{ (fromToml "a = 1").a }}{{ toToml (dict "b" 2) }}`, "1b = 2\n"},
		{"YAMLError", "As in k0rdent's adapter, what cannot be read is no error.", `{{ if (fromYaml "[").Error }}bad{{ end }}`, "bad"},
		{"Order", "Keys and values of a map always come in the same order.", `{{ range keys (dict "c" 1 "a" 2 "b" 3) }}{{ . }}{{ end }}{{ values (dict "c" 1 "a" 2 "b" 3) }}`, "abc[2 3 1]"},
		{"Date", "Dates that are given are in UTC on every machine.", `{{ toDate "2006-01-02" "2026-05-01" | dateModify "1h" | date "15:04" }} {{ 0 | htmlDate }} {{ toDate "2006" "1970" | unixEpoch }}`, "01:00 1970-01-01 0"},
		{"Merge", "What is there and not empty wins; maps are merged.", `{{ merge (dict "a" (dict "x" 1) "b" "") (dict "a" (dict "x" 2 "y" 3) "b" "c") | toJson }}`, `{"a":{"x":1,"y":3},"b":"c"}`},
		{"Nothing", "An empty field prints as text/template prints it.", `{{ (dict "a" nil).a }}`, "<no value>"},
		{"Define", "Templates of a document may call each other.", `{{ define "n" }}<{{ . }}>{{ end }}{{ range until 2 }}{{ template "n" . }}{{ end }}`, "<0><1>"},
		{"Break", "Loops may end early.", `{{ range until 9 }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ else }}none{{ end }}`, "01"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			saw := facts()
			for range 2 {
				got, err := values.Text("the values", tc.text, saw)
				if err != nil || got != tc.want {
					t.Errorf("%s\nText() = %q, %v; want %q", tc.why, got, err, tc.want)
				}
			}
			if diff := cmp.Diff(facts(), saw); diff != "" {
				t.Errorf("the facts changed:\n%s", diff)
			}
		})
	}
}

func TestTextRefuses(t *testing.T) {
	tests := []struct{ name, why, text, want string }{
		{"Field", "The line, the expression, and what to do.", "a: 1\nb: {{ .Cluster.metadata.nmae }}",
			"evaluating the values, line 2, {{ .Cluster.metadata.nmae }}: invalid: there is no field nmae: correct its name, or ask with hasKey or dig whether it is there"},
		{"Function", "A function that nobody has.", "x\n{{ 1 | foo }}", "line 2, {{ 1 | foo }}: invalid: there is no function foo: write one of"},
		{"Syntax", "What cannot be parsed.", "a\n{{ if }}", "line 2, {{ if }}: invalid: missing value for if: correct the line"},
		{"Unclosed", "An expression without end.", "a: {{ .x", "line 1, a: {{ .x: invalid: unclosed action"},
		{"Environment", "The controller's environment is nobody's business.", `{{ if false }}{{ env "HOME" }}{{ end }}`, `{{ env "HOME" }}: invalid: env is not available in values: it reads the environment`},
		{"Expand", "Neither in another form.", `{{ "$HOME" | expandenv }}`, "expandenv is not available"},
		{"Network", "Nor the network.", `{{ getHostByName "x" }}`, "getHostByName is not available in values: it asks the network"},
		{"Now", "The same input must lead to the same bytes.", `{{ now | date "2006" }}`, "now is not available in values: its result is another one each time"},
		{"DateOfNothing", "sprig takes the date of today here.", `{{ date "2006" "" }}`, `"" is no time`},
		{"Zone", "A zone that only some machines know.", `{{ dateInZone "2006" 0 "Europe/Berlin" }}`, "write UTC"},
		{"Random", "A password of its own for each evaluation.", `{{ randAlphaNum 8 }}`, "keep the value in a Secret"},
		{"CA", "Certificates too.", `{{ $ca := genCA "x" 1 }}`, "genCA is not available"},
		{"Resource", "An identifier that nobody gave.", `{{ getResource "X" }}`, `no templateResourceRefs has the identifier "X"; there are [Absent, Config]`},
		{"Fail", "A template may refuse by itself.", `{{ fail "choose a size" }}`, "choose a size"},
		{"Until", "A long list is not built.", `{{ range until 1000000000 }}x{{ end }}`, "a value grows beyond"},
		{"Range", "A loop over a number ends.", `{{ range 1000000000 }}{{ end }}`, "more work than values may take"},
		{"Nested", "Loops in loops too.", `{{ range until 50000 }}{{ range until 50000 }}{{ end }}{{ end }}`, "more work"},
		{"Repeat", "A long text is not built.", `{{ repeat 1000000000 "x" }}`, "a value grows beyond"},
		{"Indent", "Nor a wide one.", `{{ indent 1000000000 "x" }}`, "a value grows beyond"},
		{"Printf", "Nor by a format.", `{{ printf "%1000000000d" 1 }}`, "too wide"},
		{"PrintfAgain", "Nor by quoting an argument over and over.", `{{ $x := repeat 1000000 "x" }}{{ printf "%[1]s%[1]s%[1]s" $x }}`, "a value grows beyond"},
		{"Seq", "Nor as a sequence.", `{{ seq 1 1000000000 }}`, "a value grows beyond"},
		{"SeqOverflow", "Nor by a step over the end of the numbers.", `{{ untilStep 9223372036854775800 9223372036854775807 4611686018427387904 }}`, "a value grows beyond"},
		{"Double", "Nor by doubling.", `{{ $x := "x" }}{{ range until 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}{{ $x }}`, "a value grows beyond"},
		{"Laughs", "Nor by lists of lists.", `{{ $x := list "x" }}{{ range until 60 }}{{ $x = list $x $x }}{{ end }}{{ $x | toJson }}`, "a value grows beyond"},
		{"Inside", "Nor by making larger what a list holds many times.", `{{ $i := dict }}{{ $o := list (list $i $i $i $i $i $i $i $i) (list $i $i $i $i $i $i $i $i) }}{{ range until 100 }}{{ $_ := set $i (toString .) (repeat 1999 "x") }}{{ end }}{{ $o }}`, "a value grows beyond"},
		{"Replace", "Nor by replacing.", `{{ $x := repeat 10000 "a" }}{{ replace "a" $x $x }}`, "a value grows beyond"},
		{"Regex", "Nor by replacing a pattern.", `{{ $x := repeat 10000 "a" }}{{ regexReplaceAll "a" $x $x }}`, "a value grows beyond"},
		{"RegexWork", "A pattern that takes long is not looked for long.", `{{ $x := repeat 2000000 "a" }}{{ range until 50000 }}{{ $y := regexMatch "(a{1,30}b){1,30}" $x }}{{ end }}`, "more work"},
		{"Uniq", "Nor is each compared with each.", `{{ until 50000 | uniq }}`, "more work"},
		{"Deep", "Nor is anything nested without end.", `{{ $x := list }}{{ range until 1000 }}{{ $x = list $x }}{{ end }}`, "levels"},
		{"Circle", "A template that calls itself has no end.", `{{ define "a" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ template "a" }}{{ end }}{{ template "a" }}`, "call each other in a circle"},
		{"Fan", "Nor has one whose calls double.", `{{ define "a0" }}x{{ end }}` + fan(40) + `{{ template "a40" }}`, "more work"},
		{"Output", "The result has a limit.", `{{ range until 50000 }}` + strings.Repeat("x", 100) + `{{ end }}`, "the result is longer"},
		{"Meter", "Nobody pays themselves.", `{{ meterStep -1 }}`, "belongs to the evaluation"},
		{"Panic", "A function that panics is an error.", `{{ chunk -1 (list 1 2) }}{{ div 1 0 }}`, "at least"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := values.Text("the values", tc.text, facts())
			if err == nil || !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nText() = %d bytes, error %v; want one of kind invalid with %q", tc.why, len(got), err, tc.want)
			}
		})
	}
}

// fan are templates that each call the one before twice.
func fan(n int) string {
	var out strings.Builder
	for i := 1; i <= n; i++ {
		call := strings.NewReplacer("$i", itoa(i), "$j", itoa(i-1))
		out.WriteString(call.Replace(`{{ define "a$i" }}{{ template "a$j" }}{{ template "a$j" }}{{ end }}`))
	}
	return out.String()
}

func itoa(i int) string {
	text, _ := json.Marshal(i)
	return string(text)
}

// A map that is put into itself must not be printed for ever: putting in copies.
func TestNoMapHoldsItself(t *testing.T) {
	for _, text := range []string{
		`{{ $d := dict "a" 1 }}{{ $_ := set $d "d" $d }}{{ toJson $d }}`,
		`{{ $d := dict "a" 1 }}{{ $_ := set $d "d" (list $d) }}{{ toJson $d }}`,
		`{{ $d := dict "a" 1 }}{{ $_ := merge $d (dict "d" $d) }}{{ toJson $d }}`,
		`{{ $d := dict "a" 1 }}{{ $e := dict "d" $d }}{{ $_ := mergeOverwrite $d $e }}{{ $_ := set $e "x" $d }}{{ toJson $d }}`,
		`{{ $d := chainSetField (dict "a" 1) "b" 2 }}{{ $_ := set $d "d" $d }}{{ toJson $d }}`,
	} {
		got, err := values.Text("the values", text, facts())
		if err != nil || !json.Valid([]byte(got)) || len(got) > 100 {
			t.Errorf("Text(%s) = %s, %v", text, got, err)
		}
	}
}

func source(name, key, text string, annotations ...string) values.Source {
	out := values.Source{Kind: "ConfigMap", Name: name, Data: map[string]string{key: text}, Annotations: map[string]string{}}
	for _, a := range annotations {
		out.Annotations[a] = "true"
	}
	return out
}

func TestMerge(t *testing.T) {
	const template = "projectsveltos.io/template"
	two := source("two", "b", "u: b\nv: b")
	two.Data["a"] = "u: a\nv: a\nw: a"
	tests := []struct {
		name, why, want string
		in              values.Input
	}{
		{"None", "No values are no values, not an empty map.", "", values.Input{Inline: "# nothing\n"}},
		{"Inline", "Inline values are a template.", `{"name":"dev"}`, values.Input{Inline: "name: {{ .Cluster.metadata.name }}"}},
		{"FromWins", "As observed in k0rdent, referenced values win over inline ones.", `{"a":2,"b":1}`, values.Input{Inline: "{a: 1, b: 1}", From: []values.Source{source("one", "v", "a: 2")}}},
		{"InlineWins", "Unless the configuration says otherwise, which is what k0rdent's documents say.", `{"a":1,"b":1,"c":3}`,
			values.Input{Inline: "{a: 1, b: 1}", From: []values.Source{source("one", "v", "{a: 2, c: 3}")}, Precedence: values.InlineWins}},
		{"Keys", "The documents of one object are laid in the order of their keys.", `{"u":"b","v":"b","w":"a"}`, values.Input{From: []values.Source{two}}},
		{"List", "Those of several in the order of the list.", `{"a":2}`, values.Input{From: []values.Source{source("z", "v", "a: 1"), source("a", "v", "a: 2")}}},
		{"Template", "Documents that are evaluated come last, wherever they stand in the list.", `{"a":"dev","b":2}`,
			values.Input{From: []values.Source{source("t", "v", "a: {{ .Cluster.metadata.name }}", template), source("p", "v", "{a: 1, b: 2}")}}},
		{"Plain", "Documents that nobody marks are taken as they are.", `{"a":"{{ .x }}"}`, values.Input{From: []values.Source{source("p", "v", `a: "{{ .x }}"`)}}},
		{"Maps", "Maps are merged, lists replaced, and null stays: it tells Helm to forget a default.", `{"l":[2],"m":{"a":1,"b":null}}`,
			values.Input{Inline: "{m: {a: 1, b: 1}, l: [1, 1]}", From: []values.Source{source("p", "v", "{m: {b: null}, l: [2]}")}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Service, tc.in.Facts = "web", facts()
			if got, err := values.Merge(tc.in); err != nil || got != tc.want {
				t.Errorf("%s\nMerge() = %s, %v; want %s", tc.why, got, err, tc.want)
			}
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	tests := []struct {
		name, why, want string
		in              values.Input
	}{
		{"Lua", "Programs are not run, and this is said.", "ConfigMap/l (valuesFrom of service web) has annotation projectsveltos.io/lua: Portico runs no Lua", values.Input{From: []values.Source{source("l", "v", "x", "projectsveltos.io/lua")}}},
		{"Precedence", "A word that we do not know.", `valuesPrecedence is "Both": write ValuesFrom or Inline`, values.Input{Precedence: "Both"}},
		{"Inline", "Which document is not YAML.", "the values of service web are not YAML", values.Input{Inline: "a: [1"}},
		{"Source", "Which document of which object.", "v of ConfigMap/s (valuesFrom of service web) are not YAML", values.Input{From: []values.Source{source("s", "v", "a: [1")}}},
		{"Template", "Which template.", "evaluating v of ConfigMap/s (valuesFrom of service web), line 1, {{ .X }}", values.Input{From: []values.Source{source("s", "v", "a: {{ .X }}", "projectsveltos.io/template")}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Service, tc.in.Facts = "web", facts()
			_, err := values.Merge(tc.in)
			if err == nil || !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nMerge() gave %v; want an error of kind invalid with %q", tc.why, err, tc.want)
			}
		})
	}
}

// Whatever is written: no panic, no endless work, the same input gives the same bytes, errors are
// of the author's kind, and the facts stay as they are.
func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"a: {{ .Cluster.metadata.name }}", `{{ range $k, $v := .Cluster.spec }}{{ $k }}{{ $v | quote }}{{ end }}`,
		`{{ define "x" }}{{ . }}{{ end }}{{ template "x" 1 }}`, `{{ with getResource "Config" }}{{ toYaml . | nindent 2 }}{{ end }}`,
		`{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ $d }}`, `{{- /* x */ -}} {{ break }}`, `{{ regexReplaceAll "(a*)*" "aaa" "$1" | repeat 9 }}`,
		`{{ keys .Cluster | uniq | join "," }}`, `{{ printf "%[9]*.*d" 1 }}`, `{{ dig "a" 1 }}`, `{{ slice (list 1 2) 5 }}`, `{{ chunk 2 (list 1 2 3) }}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		saw := facts()
		first, err := values.Text("the values", text, saw)
		again, errAgain := values.Text("the values", text, saw)
		if first != again || (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Errorf("twice the same input, two results: %q %v, %q %v", first, err, again, errAgain)
		}
		if err != nil && !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("the error is not of kind invalid: %v", err)
		}
		if !values.IsTemplate(text) && first != text {
			t.Errorf("text that is no template became %q", first)
		}
		if !maps.EqualFunc(saw.Cluster, facts().Cluster, func(a, b any) bool { return cmp.Equal(a, b) }) {
			t.Error("the facts changed")
		}
	})
}
