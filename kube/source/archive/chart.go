package archive

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// offered bounds how many charts a message names.
const offered = 10

// Chart packs the chart at a path of a tar.gz as an archive of its own: what Helm calls a packaged
// chart. The path is that of a folder or of a packaged chart; an empty one means the only chart of
// the archive, in its root or one folder below. The same archive and path lead to the same bytes.
func Chart(data []byte, at string) ([]byte, error) {
	files, err := Files(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	at = path.Clean(strings.TrimPrefix(at, "/"))
	for _, f := range files {
		if f.Name == at {
			return f.Data, nil
		}
	}
	folders := charts(files)
	if at == "." && !slices.Contains(folders, ".") && len(folders) == 1 {
		at = folders[0]
	}
	if !slices.Contains(folders, at) {
		return nil, fmt.Errorf("there is no chart at %q; charts are in: %s", at, strings.Join(folders[:min(offered, len(folders))], ", "))
	}
	var chosen []File
	for _, f := range files {
		inside, ok := strings.CutPrefix(f.Name, at+"/")
		if at == "." {
			inside, ok = f.Name, true
		}
		if ok {
			f.Name = "chart/" + inside
			chosen = append(chosen, f)
		}
	}
	var out bytes.Buffer
	if err := Pack(&out, chosen); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// charts are the folders that hold a chart, those in other charts excepted, sorted.
func charts(files []File) []string {
	var all, out []string
	for _, f := range files {
		if path.Base(f.Name) == "Chart.yaml" {
			all = append(all, path.Dir(f.Name))
		}
	}
	slices.Sort(all)
	for _, dir := range all {
		within := func(outer string) bool {
			return outer == "." && strings.HasPrefix(dir, "charts/") || strings.HasPrefix(dir, outer+"/charts/")
		}
		if !slices.ContainsFunc(out, within) {
			out = append(out, dir)
		}
	}
	return out
}
