package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico.dev/portico/server/planning"
	"portico.dev/portico/state/plan"
)

func planCommand(s *session) *cobra.Command {
	var (
		files []string
		o     planning.Options
	)
	c := s.fleetFlags(&cobra.Command{
		Use: "plan -f FILE|DIR", Short: "Show what manifests would do to the fleet, before they are applied",
		Long: `Show which clusters would change, which services in which order and along which hops, what would wait for what,
and what would be refused. Nothing is changed. FILE may be "-" for the standard input; of a folder all manifests below it count.

What is in one round happens side by side, and needs what was done in the rounds before it. What a plan cannot know is
whether a service will fail. The exit status is 0 when the plan could be made, also when it is refused in part.`,
		Example: `  portico plan -f ingress.yaml
  portico plan -f fleet/ --diff
  portico plan -f ingress.yaml --delete -o json`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
	})
	at, out := s.scopeFlag(c), outputFlag(c)
	c.Flags().StringArrayVarP(&files, "filename", "f", nil, "file or folder with manifests; may be given several times")
	c.Flags().BoolVar(&o.Delete, "delete", false, "plan the deletion of the objects instead")
	c.Flags().BoolVar(&o.Diffs, "diff", false, "show how the objects of services would change")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(files) == 0 {
			return usageError{errors.New("-f FILE is missing: the manifests to plan for")}
		}
		m, err := s.manifests(files, at.namespace)
		if err != nil {
			return err
		}
		for _, ignored := range m.Ignored {
			fmt.Fprintf(s.Streams.Err, "Not planned for: %s.\n", ignored)
		}
		p, err := s.plan(c.Context(), m, o)
		if err != nil {
			return err
		}
		for _, unseen := range p.Unseen {
			fmt.Fprintf(s.Streams.Err, "Not seen: %s.\n", unseen)
		}
		return s.showPlan(p, *out)
	}
	return c
}

// manifests reads files and folders.
func (s *session) manifests(names []string, namespace string) (planning.Manifests, error) {
	var all planning.Manifests
	scheme, err := planning.NewScheme()
	if err != nil {
		return all, err
	}
	for _, name := range names {
		paths, err := manifestFiles(name)
		if err != nil {
			return all, err
		}
		for _, path := range paths {
			text, err := s.read(path)
			if err != nil {
				return all, fmt.Errorf("reading manifests: %w", err)
			}
			if path == "-" {
				path = "standard input"
			}
			some, err := planning.Parse(scheme, path, namespace, text)
			if err != nil {
				return all, err
			}
			all.Changes, all.Ignored = append(all.Changes, some.Changes...), append(all.Ignored, some.Ignored...)
		}
	}
	return all, nil
}

func (s *session) read(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(s.Streams.In)
	}
	return os.ReadFile(path)
}

// manifestFiles are a file, or all manifests below a folder, sorted.
func manifestFiles(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var out []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			out = append(out, path)
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("folder %s holds no .yaml, .yml or .json file", name)
	}
	return out, err
}

// plan has the plan made.
func (s *session) plan(ctx context.Context, m planning.Manifests, o planning.Options) (plan.Plan, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return plan.Plan{}, err
	}
	p, err := c.planner.Plan(ctx, m, o)
	return p, told("planning", err)
}

func (s *session) showPlan(p plan.Plan, out output) error {
	if out == outJSON || out == outYAML {
		return out.print(s.Streams.Out, shown{value: p})
	}
	if out == outName {
		return out.print(s.Streams.Out, shown{names: clusterNames(p)})
	}
	if _, err := io.WriteString(s.Streams.Out, planText(p)); err != nil {
		return err
	}
	if len(p.Refused) == 0 && !p.Changes() && len(p.Rollouts) == 0 {
		fmt.Fprintln(s.Streams.Err, "Nothing would change on any cluster.")
	}
	return nil
}

func clusterNames(p plan.Plan) []string {
	names := []string{}
	for _, c := range p.Clusters {
		names = append(names, clusterName(c))
	}
	return names
}

func clusterName(c plan.Cluster) string {
	if c.Name == "" {
		return management
	}
	return c.Namespace + "/" + c.Name
}

// planText is a plan for people.
func planText(p plan.Plan) string {
	var b strings.Builder
	for _, r := range p.Refused {
		fmt.Fprintf(&b, "%s would be refused:\n", r.Object)
		for _, reason := range r.Reasons {
			fmt.Fprintf(&b, "  %s\n", reason)
		}
	}
	for _, r := range p.Rollouts {
		fmt.Fprintf(&b, "Rollout %s/%s: revision %s ends as %s%s\n", r.Namespace, r.Name, r.Revision, r.Phase, because(r.Message))
	}
	steps := 0
	for _, c := range p.Clusters {
		steps += len(c.Steps)
		fmt.Fprintf(&b, "cluster %s%s\n", clusterName(c), because(c.Itself))
		for _, s := range c.Steps {
			b.WriteString(stepText(s))
		}
		for _, w := range c.Waiting {
			fmt.Fprintf(&b, "  waits    %s/%s (%s): %s\n", w.Namespace, w.Name, w.From, w.Message)
		}
	}
	if len(p.Clusters) > 0 {
		fmt.Fprintf(&b, "%d steps on %d clusters.\n", steps, len(p.Clusters))
	}
	return b.String()
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// signs mark what happens to a service.
var signs = map[plan.Action]string{plan.Install: "+", plan.Remove: "-", plan.Upgrade: "~", plan.Reconfigure: "~"}

func stepText(s plan.Step) string {
	var b strings.Builder
	when := fmt.Sprintf("round %d", s.Round)
	if s.After.Duration > 0 {
		when += ", after " + s.After.Duration.Round(time.Second).String()
	}
	fmt.Fprintf(&b, "  %s %-8s%s/%s  %s  (%s; %s)\n", signs[s.Action], s.Action, s.Namespace, s.Name, versions(s), s.From, when)
	if s.Problem != "" {
		fmt.Fprintf(&b, "      it would fail: %s\n", s.Problem)
	}
	for line := range strings.Lines(s.Diff) {
		fmt.Fprintf(&b, "      %s", line)
	}
	return b.String()
}

func versions(s plan.Step) string {
	before, now := versionText(s.Before), versionText(s.Now)
	switch {
	case s.Action == plan.Install:
		return now
	case s.Action == plan.Remove, before == now:
		return before
	}
	return before + " → " + now
}

func versionText(v plan.Version) string {
	if v.Version == "" || v.Version == v.Template {
		return v.Template
	}
	return v.Template + " " + v.Version
}
