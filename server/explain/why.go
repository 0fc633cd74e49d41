package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Cause is the answer to why an object stands as it does.
type Cause struct {
	// Object is what was asked about, and Mark how it stands.
	Object Ref  `json:"object"`
	Mark   Mark `json:"mark"`
	// Sentence is the whole answer for people.
	Sentence string `json:"sentence"`
	// Cause is the object at which the problem begins; absent if all is well.
	Cause *Ref `json:"cause,omitempty"`
	// Message are the words of that object, Since is when it became so.
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Next is what to do.
	Next string `json:"next,omitempty"`
	// Path leads from the object to the cause, both included.
	Path []Step `json:"path,omitempty"`
}

// Step is one object on the way to a cause.
type Step struct {
	Ref
	Mark    Mark   `json:"mark"`
	Message string `json:"message,omitempty"`
}

// Why walks from the object to the first cause of its not being well: at each object to the
// part that answers for it, one that is broken before one that is on its way.
func Why(root *Node, now time.Time) Cause {
	c := Cause{Object: root.Ref, Mark: root.Worst()}
	if c.Mark == OK {
		c.Sentence = root.Ref.String() + " is well" + sentenceSince(root.Since, now) + "."
		return c
	}
	at, next, passed := root, "", map[*Node]bool{}
	// Services that wait for each other would send us round and round.
	for n := root; n != nil && !passed[n]; n = n.culprit() {
		passed[n] = true
		c.Path = append(c.Path, Step{n.Ref, n.Mark, n.Message})
		at, next = n, cmp.Or(n.Next, next)
	}
	c.Cause, c.Message, c.Since, c.Next = &at.Ref, at.Message, at.Since, next
	c.Sentence = sentence(root, at, now)
	return c
}

// culprit is the child to which the walk goes on; nil if the node itself is the cause.
func (n *Node) culprit() *Node {
	candidates := n.Children
	if n.blames {
		candidates = n.blamed
	}
	for _, mark := range []Mark{Broken, Working} {
		for _, c := range candidates {
			if c.Worst() == mark && (mark == Broken || n.Mark != Broken || n.blames) {
				return c
			}
		}
	}
	return nil
}

func sentence(root, at *Node, now time.Time) string {
	fact := at.Ref.String() + " " + at.stands() + sentenceSince(at.Since, now)
	if at.phrase != absent {
		fact += ": " + strings.TrimRight(at.Message, ". ")
	}
	switch {
	case at == root:
		return ended(fact)
	case root.Mark == OK:
		return ended(fmt.Sprintf("%s is well itself, but %s", root.Ref, fact))
	}
	return ended(fmt.Sprintf("%s %s because %s", root.Ref, root.stands(), fact))
}

// ended puts a full stop where none of the object's own words ends the sentence.
func ended(sentence string) string {
	if strings.HasSuffix(sentence, "?") || strings.HasSuffix(sentence, "!") {
		return sentence
	}
	return sentence + "."
}

// stands says in a few words how a node stands.
func (n *Node) stands() string {
	switch {
	case n.phrase != "":
		return n.phrase
	case n.Mark == Broken:
		return "is broken"
	}
	return "is not ready"
}

func sentenceSince(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return " since " + since.UTC().Format(time.DateTime) + " UTC (" + Age(now.Sub(since)) + ")"
}

// Age is a duration in the largest two units that count.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
