package rule

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"portico.dev/portico/fleet"
)

// What a rule may cost.
const (
	// Longest is how many bytes a rule may have.
	Longest = 10_000

	longestCheck = time.Second
	// kept bounds the rules that are kept compiled.
	kept = 1000
)

// Rules compiles rules about an object that they know by one name. The environment, which is large,
// is made when the first rule asks for it. It is safe for concurrent use.
type Rules struct {
	variable string
	once     sync.Once
	env      *cel.Env
	err      error

	mu    sync.Mutex
	known map[[sha256.Size]byte]*compiled
}

// compiled is a rule that was compiled, or is being compiled.
type compiled struct {
	once sync.Once
	rule Rule
	err  error
}

// About returns rules that call their object by this name.
func About(variable string) *Rules {
	return &Rules{variable: variable, known: map[[sha256.Size]byte]*compiled{}}
}

// Rule is one rule. It is safe for concurrent use.
type Rule struct {
	variable string
	program  cel.Program
}

// Compile returns the rule of this text. An error of kind fleet.ErrInvalid says what is wrong with
// it, and where.
func (r *Rules) Compile(text string) (Rule, error) {
	c := r.find(sha256.Sum256([]byte(text)))
	c.once.Do(func() { c.rule, c.err = r.compile(text) })
	return c.rule, c.err
}

func (r *Rules) find(digest [sha256.Size]byte) *compiled {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.known[digest]; c != nil {
		return c
	}
	for other := range r.known {
		if len(r.known) < kept {
			break
		}
		delete(r.known, other) // any: it is compiled again if somebody asks
	}
	c := &compiled{}
	r.known[digest] = c
	return c
}

func (r *Rules) compile(text string) (Rule, error) {
	r.once.Do(func() { r.env, r.err = newEnvironment(r.variable) })
	if r.err != nil {
		return Rule{}, fmt.Errorf("preparing the language of rules: %w", r.err)
	}
	if len(text) > Longest {
		return Rule{}, fmt.Errorf("%w: it is longer than %d characters", fleet.ErrInvalid, Longest)
	}
	ast, issues := r.env.Compile(text)
	if err := issues.Err(); err != nil {
		first := issues.Errors()[0]
		return Rule{}, fmt.Errorf("line %d, column %d: %w: %s", first.Location.Line(), first.Location.Column()+1, fleet.ErrInvalid, first.Message)
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return Rule{}, noBool(kind)
	}
	program, err := r.env.Program(ast, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost),
		cel.CostLimit(celconfig.PerCallLimit), cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return Rule{}, fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	}
	return Rule{r.variable, program}, nil
}

func noBool(kind any) error {
	return fmt.Errorf("%w: its answer is of type %s: write a rule that is true or false", fleet.ErrInvalid, kind)
}

// Holds says whether the rule is true of an object. An error of kind fleet.ErrInvalid says why it
// has no answer: a field is not there, for example, or it costs too much.
func (r Rule) Holds(ctx context.Context, object map[string]any) (bool, error) {
	holds, _, err := r.evaluate(ctx, object)
	return holds, err
}

// evaluate says besides what it has cost.
func (r Rule) evaluate(ctx context.Context, object map[string]any) (holds bool, cost uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, longestCheck)
	defer cancel()
	answer, details, err := r.program.ContextEval(ctx, map[string]any{r.variable: object})
	cost = celconfig.PerCallLimit
	if spent := details.ActualCost(); err == nil && spent != nil {
		cost = *spent
	}
	if err != nil {
		return false, cost, fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	}
	holds, ok := answer.Value().(bool)
	if !ok {
		return false, cost, noBool(answer.Type().TypeName())
	}
	return holds, cost, nil
}

// Budget is what evaluations may cost together. It is not safe for concurrent use.
type Budget struct{ left uint64 }

// NewBudget returns one that ten rules exhaust which cost as much as one may; most cost a
// hundred-thousandth of that.
func NewBudget() *Budget { return &Budget{celconfig.RuntimeCELCostBudget} }

// Holds is that of the rule, as long as something is left. What fails costs as much as a rule may.
func (b *Budget) Holds(ctx context.Context, r Rule, object map[string]any) (bool, error) {
	if b.left == 0 {
		return false, fmt.Errorf("%w: the rules cost too much together: make them cheaper, or fewer", fleet.ErrInvalid)
	}
	holds, cost, err := r.evaluate(ctx, object)
	b.left -= min(b.left, cost)
	return holds, err
}

// newEnvironment is Kubernetes' own, with the object, and with the one function for strings that
// Kubernetes leaves out of the extension.
func newEnvironment(variable string) (*cel.Env, error) {
	version := environment.DefaultCompatibilityVersion()
	set, err := environment.MustBaseEnvSet(version).Extend(environment.VersionedOptions{
		IntroducedVersion: version, EnvOptions: []cel.EnvOption{cel.Variable(variable, cel.DynType), reverse()},
	})
	if err != nil {
		return nil, err
	}
	return set.NewExpressionsEnv(), nil
}

// reverse is the function of texts by this name.
func reverse() cel.EnvOption {
	return cel.Function("reverse", cel.MemberOverload("string_reverse", []*cel.Type{cel.StringType}, cel.StringType,
		cel.UnaryBinding(func(of ref.Val) ref.Val {
			text, ok := of.(types.String)
			if !ok {
				return types.MaybeNoSuchOverloadErr(of)
			}
			letters := []rune(string(text))
			slices.Reverse(letters)
			return types.String(letters)
		})))
}
