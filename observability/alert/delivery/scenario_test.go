package delivery

import (
	"testing"

	"portico.dev/portico/internal/scenario"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var saw Observed
		if err := in.Decode("observed.yaml", &saw); err != nil {
			return nil, err
		}
		plan := Decide(Settings{Home: "kof", Region: "mothership"}, saw)
		var files, writes []string
		for _, f := range plan.Files {
			files = append(files, f.Name)
		}
		out := []scenario.Section{}
		for _, o := range plan.Outputs {
			verb := "change "
			if o.Was == nil {
				verb = "create "
			}
			writes = append(writes, verb+o.Now.Namespace+"/"+o.Now.Name)
			out = append(out, scenario.YAML("data of "+o.Now.Name, o.Now.Data))
		}
		report := Report("kof", saw.Report, plan, nil)
		out = append([]scenario.Section{scenario.Text("files", files...), scenario.Text("writes", writes...)}, out...)
		if report == nil {
			return append(out, scenario.Text("report", "as it is")), nil
		}
		return append(out, scenario.YAML("report", report.Now.Data)), nil
	})
}
