package scenario

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// greet is a package under test: it greets whom it is given.
func greet(in *Input) ([]Section, error) {
	var who struct {
		Name string `json:"name"`
	}
	if err := in.Decode("who.yaml", &who); err != nil {
		return nil, err
	}
	if who.Name == "" {
		return nil, errors.New("who is nobody")
	}
	return []Section{
		Text("greeting", "hello", who.Name),
		YAML("parsed", map[string]int{"letters": len(who.Name)}),
		Text("silence"),
	}, nil
}

func TestRun(t *testing.T) { Run(t, "testdata/*.txtar", greet) }

func TestRetell(t *testing.T) {
	const in = "# A name goes in, a greeting comes out.\n-- who.yaml --\nname: ada\n"
	const out = "-- greeting --\nhello\nada\n-- parsed --\nletters: 3\n-- silence --\n"
	tests := []struct{ name, why, text, want string }{
		{"New", "A scenario without outputs gets them: that is how one is begun.", in, in + out},
		{"Same", "A scenario that holds is its own retelling.", in + out, in + out},
		{"Changed", "An output that came out differently is replaced.", in + "-- greeting --\nbye\n", in + out},
		{"Stale", "An output that nobody produces any more goes away.", in + "-- farewell --\nbye\n", in + out},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := retell([]byte(tc.text), greet)
			if err != nil || string(got) != tc.want {
				t.Errorf("%s\nretell() = %q, %v; want %q", tc.why, got, err, tc.want)
			}
		})
	}
}

func TestRetellRefuses(t *testing.T) {
	input := func(in *Input) ([]Section, error) { return []Section{Text("a.yaml", "x")}, nil }
	tests := []struct {
		name, why, text, want string
		produce               Produce
	}{
		{"NoComment", "A story without a why cannot be judged.", "-- who.yaml --\nname: ada\n", "does not say why", greet},
		{"UnknownField", "A misspelt field would silently mean nothing.", "# x\n-- who.yaml --\nnmae: ada\n", "decoding section who.yaml", greet},
		{"Unread", "A misspelt section would silently mean nothing.", "# x\n-- who.yaml --\nname: ada\n-- whom.yaml --\n", "whom.yaml", greet},
		{"Twice", "Of two sections with one name, which counts?", "# x\n-- who.yaml --\nname: ada\n-- who.yaml --\nname: bob\n", "twice", greet},
		{"Failing", "A wrong file ends the scenario.", "# x\n", "who is nobody", greet},
		{"OutputNamedAsInput", "It would be read as input next time.", "# x\n", "a.yaml", input},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := retell([]byte(tc.text), tc.produce)
			if err == nil || !strings.Contains(fmt.Sprint(err), tc.want) {
				t.Errorf("%s\nretell() gave the error %v; want one with %q", tc.why, err, tc.want)
			}
		})
	}
}
