package provider

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"portico.dev/portico/fleet"
)

// self is what a rule calls its object.
const self = "self"

// What a rule may cost.
const (
	longestRule  = 10_000
	longestCheck = time.Second
)

// Rules evaluate readiness rules. The environment, which is large, is made when the first rule asks
// for it. It is safe for concurrent use.
type Rules struct {
	once sync.Once
	env  *cel.Env
	err  error
}

// Ready says whether the object is ready by the rule; an empty one is content with any object. An
// error of kind fleet.ErrInvalid says where the rule is wrong, or why it has no answer.
func (r *Rules) Ready(ctx context.Context, rule string, object map[string]any) (bool, error) {
	if strings.TrimSpace(rule) == "" {
		return true, nil
	}
	program, err := r.compile(rule)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestCheck)
	defer cancel()
	answer, _, err := program.ContextEval(ctx, map[string]any{self: object})
	if err != nil {
		return false, fmt.Errorf("evaluating the readiness rule: %w: %w", fleet.ErrInvalid, err)
	}
	ready, ok := answer.Value().(bool)
	if !ok {
		return false, fmt.Errorf("evaluating the readiness rule: %w: its answer is of type %s: write a rule that is true or false", fleet.ErrInvalid, answer.Type().TypeName())
	}
	return ready, nil
}

// Check says where a rule is wrong; nil if it is not, as far as can be seen without an object.
func (r *Rules) Check(rule string) error {
	if strings.TrimSpace(rule) == "" {
		return nil
	}
	_, err := r.compile(rule)
	return err
}

func (r *Rules) compile(rule string) (cel.Program, error) {
	r.once.Do(func() { r.env, r.err = newEnvironment() })
	if r.err != nil {
		return nil, fmt.Errorf("preparing readiness rules: %w", r.err)
	}
	if len(rule) > longestRule {
		return nil, fmt.Errorf("reading the readiness rule: %w: it is longer than %d characters", fleet.ErrInvalid, longestRule)
	}
	ast, issues := r.env.Compile(rule)
	if err := issues.Err(); err != nil {
		first := issues.Errors()[0]
		return nil, fmt.Errorf("reading the readiness rule, line %d, column %d: %w: %s", first.Location.Line(), first.Location.Column()+1, fleet.ErrInvalid, first.Message)
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("reading the readiness rule: %w: its answer is of type %s: write a rule that is true or false", fleet.ErrInvalid, kind)
	}
	program, err := r.env.Program(ast, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost),
		cel.CostLimit(celconfig.PerCallLimit), cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return nil, fmt.Errorf("reading the readiness rule: %w: %w", fleet.ErrInvalid, err)
	}
	return program, nil
}

// newEnvironment is Kubernetes' own, with the object.
func newEnvironment() (*cel.Env, error) {
	version := environment.DefaultCompatibilityVersion()
	set, err := environment.MustBaseEnvSet(version).Extend(environment.VersionedOptions{
		IntroducedVersion: version, EnvOptions: []cel.EnvOption{cel.Variable(self, cel.DynType)},
	})
	if err != nil {
		return nil, err
	}
	return set.NewExpressionsEnv(), nil
}
