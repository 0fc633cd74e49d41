package explain

import (
	"strings"
	"time"
)

// Mark says how an object stands, in one of three words.
type Mark string

const (
	// OK means that the object is as it is wanted.
	OK Mark = "ok"
	// Working means that it is on its way: the world has to move.
	Working Mark = "working"
	// Broken means that it will not get there by itself, or has not for too long.
	Broken Mark = "broken"
)

func (m Mark) rank() int {
	switch m {
	case OK:
		return 0
	case Working:
		return 1
	}
	return 2
}

// Node is one object of the chain.
type Node struct {
	Ref
	// Mark is the object's own; that of what is below it may be worse.
	Mark Mark `json:"mark"`
	// Detail are facts worth a glance: a version, a count.
	Detail string `json:"detail,omitempty"`
	// Message says why it is not OK, in the object's own words and on one line.
	Message string `json:"message,omitempty"`
	// Since is when it became so, as far as anybody knows.
	Since time.Time `json:"since,omitzero"`
	// Next is what to do about it; empty where nobody has to do anything.
	Next string `json:"next,omitempty"`
	// Children are what it is made of or depends on, what comes first in time first.
	Children []*Node `json:"children,omitempty"`

	// blamed are the children that answer for what is wrong, if the object says so; else
	// all of them may.
	blamed []*Node
	blames bool
	// phrase says how it stands in a sentence; empty means that the mark does.
	phrase string
}

// add appends a child and returns it; nil is no child.
func (n *Node) add(child *Node) *Node {
	if child != nil {
		n.Children = append(n.Children, child)
	}
	return child
}

// blame says which children answer for what is wrong. None means the object itself.
func (n *Node) blame(children ...*Node) {
	n.blames, n.blamed = true, nil
	for _, c := range children {
		if c != nil {
			n.blamed = append(n.blamed, c)
		}
	}
}

// Worst is the worst mark of the node and all below it.
func (n *Node) Worst() Mark {
	worst := n.Mark
	for _, c := range n.Children {
		if m := c.Worst(); m.rank() > worst.rank() {
			worst = m
		}
	}
	return worst
}

// judged sets what a verdict says.
func (n *Node) judged(v verdict) *Node {
	n.Mark, n.Message, n.Since, n.phrase = v.mark, oneLine(v.message), v.since, v.phrase
	return n
}

// missing is the node of an object that is referred to and not there.
func missing(ref Ref, since time.Time, next string) *Node {
	return &Node{Ref: ref, Mark: Broken, Message: "it " + absent, Since: since, Next: next, phrase: absent}
}

// oneLine makes one line of what Cluster API and others write as lists.
func oneLine(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		line = strings.ReplaceAll(strings.TrimPrefix(line, "* "), ": * ", ": ")
		switch said := b.String(); {
		case line == "":
			continue
		case said == "":
		case strings.HasSuffix(said, ":"):
			b.WriteString(" ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}
