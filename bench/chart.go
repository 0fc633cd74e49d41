package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/http"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/kube/source/archive"
)

//go:embed chart
var chartFiles embed.FS

// probe is the name of the template whose chart we measure with.
const probe = "probe-1-0-0"

// offerChart serves the chart of this folder as a repository on loopback for as long as ctx, and
// makes a ServiceTemplate of it.
func (b *bench) offerChart(ctx context.Context) error {
	packed, err := packChart()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "apiVersion: v1\nentries:\n  probe:\n  - {apiVersion: v2, name: probe, version: 1.0.0, urls: [probe-1.0.0.tgz]}\n")
	})
	mux.HandleFunc("GET /probe-1.0.0.tgz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(packed) // who hung up asks again
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(l) }() // it ends with the program
	context.AfterFunc(ctx, func() { _ = server.Close() })
	repository := &sourcev1.HelmRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "bench"},
		Spec:       sourcev1.HelmRepositorySpec{URL: "http://" + l.Addr().String()},
	}
	template := &kcm.ServiceTemplate{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: probe},
		Spec: kcm.ServiceTemplateSpec{Helm: &kcm.HelmSpec{ChartSpec: &kcm.HelmChartSpec{
			Chart: "probe", Version: "1.0.0", SourceRef: kcm.LocalHelmChartSourceReference{Kind: sourcev1.HelmRepositoryKind, Name: "bench"},
		}}},
	}
	if err := e2e.Apply(ctx, b.kube, repository); err != nil {
		return err
	}
	if err := e2e.Apply(ctx, b.kube, template); err != nil {
		return err
	}
	_, err = e2e.Await(ctx, b.kube, template, func(t *kcm.ServiceTemplate) string {
		if !t.Status.Valid {
			return "it is not valid: " + t.Status.ValidationError
		}
		return ""
	})
	return err
}

func packChart() ([]byte, error) {
	var files []archive.File
	err := fs.WalkDir(chartFiles, "chart", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := chartFiles.ReadFile(path)
		files = append(files, archive.File{Name: "probe" + path[len("chart"):], Data: content})
		return err
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = archive.Pack(&out, files)
	return out.Bytes(), err
}
