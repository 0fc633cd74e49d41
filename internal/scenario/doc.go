// Package scenario runs tests that are stories in text files.
//
// A scenario is one txtar archive. Its comment says why the story matters. Sections whose name
// ends in .yaml are what goes in: objects and observations. All other sections are what must
// come out: a plan, a status, conditions. A package under test hands in one function from the
// first to the second:
//
//	func TestScenarios(t *testing.T) {
//		scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
//			var saw Observed
//			if err := in.Decode("observed.yaml", &saw); err != nil {
//				return nil, err
//			}
//			return []scenario.Section{scenario.Text("plan", Decide(saw).String())}, nil
//		})
//	}
//
// go test -update writes what came out into the files; the diff is then what one reviews.
// Input is decoded strictly, and a section that nobody read is an error, so that a misspelt
// name cannot make a scenario say less than it seems to.
package scenario
