package graph

// Reaches says whether one node leads to another by one step at least. Next are the nodes that a
// step leads to; circles end by themselves.
func Reaches[K comparable](next func(K) []K, from, to K) bool {
	seen := map[K]bool{}
	for open := next(from); len(open) > 0; {
		at := open[0]
		if open = open[1:]; at == to {
			return true
		}
		if !seen[at] {
			seen[at] = true
			open = append(open[:len(open):len(open)], next(at)...)
		}
	}
	return false
}
