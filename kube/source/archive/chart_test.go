package archive_test

import (
	"bytes"
	"strings"
	"testing"

	"portico.dev/portico/kube/source/archive"
)

func packed(t *testing.T, names ...string) []byte {
	t.Helper()
	var files []archive.File
	for _, name := range names {
		files = append(files, archive.File{Name: name, Data: []byte(name)})
	}
	var out bytes.Buffer
	if err := archive.Pack(&out, files); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestChart(t *testing.T) {
	repository := []string{"README.md", "charts/web/Chart.yaml", "charts/web/charts/db/Chart.yaml", "charts/web/templates/x.yaml", "charts/api/Chart.yaml"}
	tests := []struct {
		name, why, at string
		files         []string
		want          string
		complaint     string
	}{
		{name: "Folder", why: "A chart in a folder of a repository, with what is vendored in it.", at: "./charts/web", files: repository,
			want: "chart/Chart.yaml chart/charts/db/Chart.yaml chart/templates/x.yaml"},
		{name: "Root", why: "The whole repository is the chart.", files: []string{"Chart.yaml", "charts/db/Chart.yaml"}, want: "chart/Chart.yaml chart/charts/db/Chart.yaml"},
		{name: "Only", why: "What an OCI registry serves has the chart in a folder of its name.", files: []string{"web/Chart.yaml", "web/values.yaml"}, want: "chart/Chart.yaml chart/values.yaml"},
		{name: "Several", why: "Which of several is meant has to be said.", files: repository, complaint: `no chart at "."; charts are in: charts/api, charts/web`},
		{name: "Wrong", why: "A path without a chart is a mistake, and the right ones are named.", at: "charts/wep", files: repository, complaint: "charts are in: charts/api, charts/web"},
		{name: "Outside", why: "Nothing is outside an archive.", at: "../web", files: repository, complaint: "no chart"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			data, err := archive.Chart(packed(t, tc.files...), tc.at)
			if tc.complaint != "" {
				if err == nil || !strings.Contains(err.Error(), tc.complaint) {
					t.Errorf("%s\nerror = %v; want %q", tc.why, err, tc.complaint)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			files, err := archive.Files(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range files {
				names = append(names, f.Name)
			}
			if got := strings.Join(names, " "); got != tc.want {
				t.Errorf("%s\ngot %s; want %s", tc.why, got, tc.want)
			}
		})
	}
}
