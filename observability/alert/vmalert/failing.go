package vmalert

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"portico.dev/portico/observability/alert"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// Failing are the rules that the vmalert at that address could not evaluate when it tried last,
// sorted. Object is the file of the rule, Key its group.
func Failing(ctx context.Context, base string, by *http.Client) ([]alert.Problem, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/api/v1/rules", nil)
	if err != nil {
		return nil, fmt.Errorf("listing the rules of vmalert: %w", err)
	}
	resp, err := by.Do(req)
	if err != nil {
		return nil, fmt.Errorf("listing the rules of vmalert: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("listing the rules of vmalert: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("listing the rules of vmalert: it answered %s: %.500s", resp.Status, text)
	}
	var answer rulesAnswer
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("listing the rules of vmalert: %w", err)
	}
	return answer.problems(), nil
}

type rulesAnswer struct {
	Data struct {
		Groups []struct {
			Name, File string
			Rules      []struct{ Name, LastError string }
		}
	}
}

func (a rulesAnswer) problems() []alert.Problem {
	var out []alert.Problem
	for _, g := range a.Data.Groups {
		for _, r := range g.Rules {
			if r.LastError != "" {
				out = append(out, alert.Problem{Object: g.File[strings.LastIndex(g.File, "/")+1:], Key: g.Name, Rule: r.Name, Message: r.LastError})
			}
		}
	}
	slices.SortFunc(out, func(a, b alert.Problem) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}
