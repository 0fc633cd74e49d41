package helm

import "strings"

// nearest returns the name that a user most likely meant. The names are in order, and the
// first of equally near ones wins.
func nearest(wrong string, names []string) (string, bool) {
	best, found := "", false
	// A third of the letters wrong is a slip; more is another word.
	limit := max(1, len(wrong)/3)
	for _, name := range names {
		d := distance(strings.ToLower(wrong), strings.ToLower(name))
		if d <= limit {
			best, found, limit = name, true, d-1
		}
	}
	return best, found
}

// distance counts the letters to add, drop, change, or swap with their neighbour.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := rows[i-1][j-1]
			if x[i-1] != y[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
