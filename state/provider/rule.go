package provider

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"portico.dev/portico/kube/rule"
)

// Rules evaluate readiness rules, which call their object "self". It is safe for concurrent use.
type Rules struct {
	once  sync.Once
	rules *rule.Rules
}

// Ready says whether the object is ready by the rule; an empty one is content with any object. An
// error of kind fleet.ErrInvalid says where the rule is wrong, or why it has no answer.
func (r *Rules) Ready(ctx context.Context, text string, object map[string]any) (bool, error) {
	if strings.TrimSpace(text) == "" {
		return true, nil
	}
	compiled, err := r.compile(text)
	if err != nil {
		return false, err
	}
	ready, err := compiled.Holds(ctx, object)
	if err != nil {
		return false, fmt.Errorf("evaluating the readiness rule: %w", err)
	}
	return ready, nil
}

// Check says where a rule is wrong; nil if it is not, as far as can be seen without an object.
func (r *Rules) Check(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	_, err := r.compile(text)
	return err
}

func (r *Rules) compile(text string) (rule.Rule, error) {
	r.once.Do(func() { r.rules = rule.About("self") })
	compiled, err := r.rules.Compile(text)
	if err != nil {
		return compiled, fmt.Errorf("reading the readiness rule: %w", err)
	}
	return compiled, nil
}
