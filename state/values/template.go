package values

import (
	"maps"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// name is what templates are called in the errors of text/template, which we write anew.
const name = "t"

// Text evaluates a template; what names it in errors, for instance "the values of service web".
// Text without an expression comes back as it is. Errors are of kind fleet.ErrInvalid.
func Text(what, text string, facts Facts) (string, error) {
	if !IsTemplate(text) {
		return text, nil
	}
	if len(text) > maxText || strings.Count(text, "{{") > maxActions {
		return "", mistake{what: what, reason: "the template is too long", todo: "split it"}.err()
	}
	run := &run{left: budget, resources: facts.MgmtResources}
	functions := run.functions()
	parsed, err := template.New(name).Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return "", explain(what, text, err)
	}
	if bad := inspect(parsed); bad != nil {
		bad.what, bad.text = what, text
		return "", bad.err()
	}
	for _, t := range parsed.Templates() {
		if t.Tree != nil {
			meter(t.Root)
		}
	}
	out := &bounded{}
	if err := parsed.Execute(out, facts.root()); err != nil {
		return "", explain(what, text, err)
	}
	return out.String(), nil
}

// Check says what is wrong with a template that can be seen without evaluating it; nil if nothing
// is. Errors are of kind fleet.ErrInvalid.
func Check(what, text string) error {
	if !IsTemplate(text) {
		return nil
	}
	parsed, err := template.New(name).Funcs((&run{left: budget}).functions()).Parse(text)
	if err != nil {
		return explain(what, text, err)
	}
	if bad := inspect(parsed); bad != nil {
		bad.what, bad.text = what, text
		return bad.err()
	}
	return nil
}

// IsTemplate says whether text holds expressions.
func IsTemplate(text string) bool { return strings.Contains(text, "{{") }

// root is what a dot means. It is a copy: functions that change what they are given must not
// change the facts.
func (f Facts) root() map[string]any {
	resources := map[string]any{}
	for id, object := range f.MgmtResources {
		resources[id] = copyMap(object)
	}
	return map[string]any{
		"Cluster": copyMap(f.Cluster), "KubeadmControlPlane": copyMap(f.KubeadmControlPlane),
		"InfrastructureProvider": copyMap(f.InfrastructureProvider), "MgmtResources": resources,
	}
}

// The functions that meter puts into templates, and that nobody else may.
const (
	stepFunction  = "meterStep"
	printFunction = "meterPrint"
)

// What evaluating costs beside the functions: about as much as looking at so many bytes.
const (
	listPrice, nodePrice, comparePrice = 128, 64, 1024
)

// comparing are functions of text/template that may read long texts, and that cannot be wrapped.
var comparing = map[string]bool{"eq": true, "ne": true, "lt": true, "le": true, "gt": true, "ge": true}

// meter makes every node of a list pay before it is evaluated, so that no loop is free, and has
// everything that is printed measured first.
func meter(list *parse.ListNode) {
	if list == nil {
		return
	}
	nodes := []parse.Node{step(list.Pos, listPrice)}
	for _, node := range list.Nodes {
		nodes = append(nodes, step(node.Position(), cost(node)), node)
		switch n := node.(type) {
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, command(n.Pos, parse.NewIdentifier(printFunction).SetPos(n.Pos)))
			}
		case *parse.IfNode:
			meter(n.List)
			meter(n.ElseList)
		case *parse.WithNode:
			meter(n.List)
			meter(n.ElseList)
		case *parse.RangeNode:
			meter(n.List)
			meter(n.ElseList)
		}
	}
	list.Nodes = nodes
}

func step(pos parse.Pos, price int) *parse.ActionNode {
	number := &parse.NumberNode{NodeType: parse.NodeNumber, Pos: pos, IsInt: true, Int64: int64(price), Text: strconv.Itoa(price)}
	pipe := &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos}
	pipe.Cmds = []*parse.CommandNode{command(pos, parse.NewIdentifier(stepFunction).SetPos(pos), number)}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: pos, Pipe: pipe}
}

func command(pos parse.Pos, args ...parse.Node) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: args}
}

// cost is what a node costs beside the functions that it calls, without the lists in it.
func cost(node parse.Node) int {
	price := nodePrice
	walk(node, func(n parse.Node) {
		switch n := n.(type) {
		case *parse.IdentifierNode:
			if price += nodePrice; comparing[n.Ident] {
				price += comparePrice
			}
		case *parse.TextNode:
			price += len(n.Text)
		}
	})
	return price
}

// walk visits a node and what it is made of, without the lists in it.
func walk(node parse.Node, visit func(parse.Node)) {
	visit(node)
	switch n := node.(type) {
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.IfNode:
		walk(n.Pipe, visit)
	case *parse.WithNode:
		walk(n.Pipe, visit)
	case *parse.RangeNode:
		walk(n.Pipe, visit)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, visit)
		}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			walk(c, visit)
		}
	case *parse.CommandNode:
		for _, arg := range n.Args {
			walk(arg, visit)
		}
	case *parse.ChainNode:
		walk(n.Node, visit)
	}
}

// walkAll visits everything in a list.
func walkAll(list *parse.ListNode, visit func(parse.Node)) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		walk(node, visit)
		switch n := node.(type) {
		case *parse.IfNode:
			walkAll(n.List, visit)
			walkAll(n.ElseList, visit)
		case *parse.WithNode:
			walkAll(n.List, visit)
			walkAll(n.ElseList, visit)
		case *parse.RangeNode:
			walkAll(n.List, visit)
			walkAll(n.ElseList, visit)
		}
	}
}

// inspect finds what is refused before anything is evaluated.
func inspect(t *template.Template) *mistake {
	var found *mistake
	calls := map[string][]string{}
	for _, part := range t.Templates() {
		if part.Tree == nil {
			continue
		}
		calls[part.Name()] = nil
		walkAll(part.Root, func(n parse.Node) {
			switch n := n.(type) {
			case *parse.IdentifierNode:
				// Templates come in no order: the first in the text is named.
				if why, refused := refusals[n.Ident]; refused && (found == nil || int(n.Pos) < found.at) {
					found = &mistake{at: int(n.Pos), reason: n.Ident + " is not available in values: " + why.reason, todo: why.todo}
				}
			case *parse.TemplateNode:
				calls[part.Name()] = append(calls[part.Name()], n.Name)
			}
		})
	}
	if found == nil && circular(calls) {
		found = &mistake{at: -1, reason: "templates of it call each other in a circle", todo: "write it as a loop"}
	}
	return found
}

// circular says whether any template calls itself, over however many others: templates that end
// nowhere call nobody, and are taken away until nothing changes.
func circular(calls map[string][]string) bool {
	left := maps.Clone(calls)
	for changed := true; changed; {
		changed = false
		for caller, called := range left {
			if ends(called, left) {
				delete(left, caller)
				changed = true
			}
		}
	}
	return len(left) > 0
}

func ends(called []string, left map[string][]string) bool {
	for _, name := range called {
		if _, calls := left[name]; calls {
			return false
		}
	}
	return true
}
