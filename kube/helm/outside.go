package helm

import "strings"

// seal takes out of a schema what refers outside of it, since nothing is ever fetched: what
// stands there allows anything, and any key.
func seal(doc any) any {
	return sealer{ids: idsOf(doc, map[string]bool{}), alone: refsStandAlone(doc)}.seal(doc)
}

type sealer struct {
	// ids are the names that parts of the schema give themselves.
	ids map[string]bool
	// alone says that what stands beside a reference does not count.
	alone bool
}

func (s sealer) seal(node any) any {
	switch node := node.(type) {
	case []any:
		for i := range node {
			node[i] = s.seal(node[i])
		}
	case map[string]any:
		for key := range node {
			node[key] = s.seal(node[key])
		}
		if ref, ok := node["$ref"].(string); ok && s.leadsOut(ref) {
			return s.open(node)
		}
	}
	return node
}

func (s sealer) leadsOut(ref string) bool {
	document, _, _ := strings.Cut(ref, "#")
	return document != "" && !s.ids[document]
}

// open is a schema without its reference. The keys that it says itself are not all there are:
// the others stand where it refers to.
func (s sealer) open(node map[string]any) map[string]any {
	if s.alone {
		return map[string]any{"additionalProperties": true}
	}
	for _, rest := range []string{"$ref", "unevaluatedProperties", "unevaluatedItems"} {
		delete(node, rest)
	}
	if _, said := node["additionalProperties"]; !said {
		node["additionalProperties"] = true
	}
	return node
}

// idsOf collects the names by which parts of a schema may refer to each other.
func idsOf(node any, ids map[string]bool) map[string]bool {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			idsOf(item, ids)
		}
	case map[string]any:
		for key, item := range node {
			if id, ok := item.(string); ok && (key == "$id" || key == "id") {
				ids[strings.TrimSuffix(id, "#")] = true
			}
			idsOf(item, ids)
		}
	}
	return ids
}

// refsStandAlone says whether the schema is of a draft before 2019-09.
func refsStandAlone(doc any) bool {
	root, _ := doc.(map[string]any)
	draft, _ := root["$schema"].(string)
	return strings.Contains(draft, "://json-schema.org/draft-0")
}
