package manifest

import "regexp"

// variable is ${KEY}, ${KEY:-default} or ${KEY:=default}, and the same after another $.
var variable = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::[-=]([^}\n]*))?\}`)

// substitute replaces the variables that values name. All others stay: they are somebody
// else's, a shell script's in a ConfigMap, for example.
func substitute(text string, values map[string]string) string {
	if len(values) == 0 {
		return text
	}
	return variable.ReplaceAllStringFunc(text, func(match string) string {
		parts := variable.FindStringSubmatch(match)
		value, given := values[parts[1]]
		switch {
		case !given:
			return match
		case match[1] == '$':
			return match[1:]
		case value == "":
			return parts[2]
		}
		return value
	})
}
