package pace

import (
	"slices"
	"strings"

	"portico.dev/portico/state/engine"
)

// Undone are the services of keys that are not done, sorted.
func Undone(keys []engine.Key, done func(engine.Key) bool) []engine.Key {
	return sorted(slices.DeleteFunc(slices.Clone(keys), done))
}

// Waits says that an installation waits for others.
func Waits(keys []engine.Key) string { return "waits until " + Names(keys) + " is deployed" }

// Awaits says that a removal waits for others.
func Awaits(keys []engine.Key) string {
	return "waits until what depends on it is removed: " + Names(keys)
}

// Names lists services in their order, for a sentence.
func Names(keys []engine.Key) string {
	var names []string
	for _, key := range sorted(keys) {
		names = append(names, key.String())
	}
	return strings.Join(names, ", ")
}

// Leaver is a service of a set that is on the target.
type Leaver struct {
	Key engine.Key
	// Needs are what it depends on.
	Needs []engine.Key
	// Stays says that it is wanted there.
	Stays bool
}

// Awaited are the services whose removal that of key waits for, sorted: those on the target that
// depend on it and go as well, but for those that nobody waits for any more.
func Awaited(key engine.Key, there []Leaver, unawaited map[engine.Key]bool) []engine.Key {
	var out []engine.Key
	for _, other := range there {
		if other.Key != key && !other.Stays && !unawaited[other.Key] && slices.Contains(other.Needs, key) {
			out = append(out, other.Key)
		}
	}
	return sorted(out)
}

func sorted(keys []engine.Key) []engine.Key {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, engine.CompareKeys)
	return slices.Compact(keys)
}
