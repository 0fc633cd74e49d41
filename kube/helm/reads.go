package helm

import (
	"slices"
	"text/template/parse"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
)

// reads is the tree of values that a chart's templates read. A key that a template reads
// is a key that the chart knows, even where neither the default values nor a schema
// mention it.
type reads struct {
	// whole says that a template takes this value as it is, with whatever is in it:
	// {{ toYaml .Values.resources }}.
	whole bool
	keys  map[string]*reads
}

// readsOf collects what a chart's own templates read, and what those of the library
// charts below it read on its behalf.
func readsOf(c *chartv2.Chart) *reads {
	r := &reads{}
	for i, member := range family(c) {
		if i > 0 && (member.Metadata == nil || member.Metadata.Type != "library") {
			continue
		}
		for _, t := range member.Templates {
			r.addTemplate(t.Name, string(t.Data))
		}
	}
	return r
}

func (r *reads) addTemplate(name, text string) {
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		// Rendering will report it. Until then nothing is known about what is read here.
		r.whole = true
		return
	}
	for _, t := range trees {
		if t.Root != nil {
			r.walk(t.Root)
		}
	}
}

// add notes that the value at path is read.
func (r *reads) add(path []string) {
	for _, key := range path {
		if r.keys == nil {
			r.keys = map[string]*reads{}
		}
		if r.keys[key] == nil {
			r.keys[key] = &reads{}
		}
		r = r.keys[key]
	}
	r.whole = true
}

// below returns what is read of the value under key. It is never nil: what is taken whole
// is taken with everything in it.
func (r *reads) below(key string) *reads {
	if child := r.keys[key]; child != nil {
		return &reads{whole: child.whole || r.whole, keys: child.keys}
	}
	return &reads{whole: r.whole}
}

func (r *reads) walk(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				r.walk(child)
			}
		}
	case *parse.ActionNode:
		r.walk(n.Pipe)
	case *parse.IfNode:
		r.walkBranch(&n.BranchNode)
	case *parse.WithNode:
		r.walkBranch(&n.BranchNode)
	case *parse.RangeNode:
		r.walkBranch(&n.BranchNode)
	case *parse.TemplateNode:
		r.walk(n.Pipe)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				r.walkCommand(c)
			}
		}
	case *parse.ChainNode:
		if field, ok := n.Node.(*parse.PipeNode); ok && len(field.Cmds) == 1 && len(field.Cmds[0].Args) == 1 {
			if path, ok := valuesPath(field.Cmds[0].Args[0]); ok {
				r.add(slices.Concat(path, n.Field))
				return
			}
		}
		r.walk(n.Node)
	default:
		if path, ok := valuesPath(n); ok {
			r.add(path)
		}
	}
}

func (r *reads) walkBranch(n *parse.BranchNode) {
	r.walk(n.Pipe)
	r.walk(n.List)
	r.walk(n.ElseList)
}

// walkCommand knows the functions that take a mapping and the name of a key:
// {{ index .Values "with-dash" }} reads one key, not all.
func (r *reads) walkCommand(c *parse.CommandNode) {
	if len(c.Args) > 2 {
		name, named := c.Args[0].(*parse.IdentifierNode)
		path, ok := valuesPath(c.Args[1])
		if named && ok && slices.Contains([]string{"index", "get", "hasKey"}, name.Ident) {
			for _, arg := range c.Args[2:] {
				key, isText := arg.(*parse.StringNode)
				if !isText {
					break
				}
				path = append(slices.Clip(path), key.Text)
			}
			r.add(path)
			return
		}
	}
	for _, arg := range c.Args {
		r.walk(arg)
	}
}

// valuesPath returns the keys after "Values" in .Values.a.b, $.Values.a.b and
// .context.Values.a.b.
func valuesPath(n parse.Node) ([]string, bool) {
	var names []string
	switch n := n.(type) {
	case *parse.FieldNode:
		names = n.Ident
	case *parse.VariableNode:
		names = n.Ident
	}
	at := slices.Index(names, "Values")
	if at < 0 {
		return nil, false
	}
	return names[at+1:], true
}
