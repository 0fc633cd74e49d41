package inventory

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"portico.dev/portico/fleet"
)

// Rank is where a row stands in a column: by its number, and then by its text.
type Rank struct {
	Number int64  `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
}

func (r Rank) compare(other Rank) int {
	return cmp.Or(cmp.Compare(r.Number, other.Number), cmp.Compare(r.Text, other.Text))
}

// Column is what rows can be sorted by.
type Column[R any] struct {
	Name string
	Rank func(*R) Rank
}

// Table keeps rows by key. A row that was set is never changed, only replaced. It is safe for
// concurrent use.
type Table[R any] struct {
	columns []Column[R]

	mu   sync.RWMutex
	rows map[string]*R
	// generation counts the changes.
	generation uint64

	// sorting is held while an order is made, so that many who ask at once make it once.
	sorting sync.Mutex
	orders  map[string]*order[R]
}

// order is all rows by one column, as of a generation.
type order[R any] struct {
	generation uint64
	rows       []placed[R]
}

type placed[R any] struct {
	rank Rank
	key  string
	row  *R
}

func (p placed[R]) compare(other placed[R]) int {
	return cmp.Or(p.rank.compare(other.rank), cmp.Compare(p.key, other.key))
}

// NewTable returns an empty table. Its first column is the order of those who name none.
func NewTable[R any](columns []Column[R]) *Table[R] {
	return &Table[R]{columns: columns, rows: map[string]*R{}, orders: map[string]*order[R]{}}
}

// Set puts a row into the table.
func (t *Table[R]) Set(key string, row *R) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows[key] = row
	t.generation++
}

// Delete takes a row out of the table.
func (t *Table[R]) Delete(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.rows[key]; there {
		delete(t.rows, key)
		t.generation++
	}
}

// Get returns a row; nil if there is none.
func (t *Table[R]) Get(key string) *R {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows[key]
}

// All returns all rows, in no order.
func (t *Table[R]) All() []*R {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.rows))
}

// Columns are the names of what the rows can be sorted by.
func (t *Table[R]) Columns() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	return names
}

// sorted returns all rows by a column. The slice is shared, and nobody changes it.
func (t *Table[R]) sorted(c Column[R]) []placed[R] {
	t.sorting.Lock()
	defer t.sorting.Unlock()
	t.mu.RLock()
	if o := t.orders[c.Name]; o != nil && o.generation == t.generation {
		t.mu.RUnlock()
		return o.rows
	}
	fresh := &order[R]{generation: t.generation, rows: t.nearly(c)}
	t.mu.RUnlock()
	slices.SortFunc(fresh.rows, placed[R].compare)
	t.orders[c.Name] = fresh
	return fresh.rows
}

// nearly returns the rows in the order that they last had, with new ones at the end: what is sorted
// but for a few rows is sorted in little time. Its caller holds mu.
func (t *Table[R]) nearly(c Column[R]) []placed[R] {
	out := make([]placed[R], 0, len(t.rows))
	known := 0
	if last := t.orders[c.Name]; last != nil {
		for _, p := range last.rows {
			row := t.rows[p.key]
			switch {
			case row == p.row && row != nil:
				out = append(out, p)
				known++
			case row != nil:
				out = append(out, placed[R]{c.Rank(row), p.key, row})
				known++
			}
		}
	}
	if known == len(t.rows) {
		return out
	}
	have := make(map[string]bool, known)
	for _, p := range out {
		have[p.key] = true
	}
	for key, row := range t.rows {
		if !have[key] {
			out = append(out, placed[R]{c.Rank(row), key, row})
		}
	}
	return out
}

// Ask says which part of a list is wanted.
type Ask struct {
	// Sort is the name of a column, after a "-" for the reverse order; empty is the first one.
	Sort string
	// Limit is how many rows are wanted at most; 0 means DefaultLimit.
	Limit int
	// Continue is what the page before said.
	Continue string
}

// Bounds of a page.
const (
	DefaultLimit = 100
	MostRows     = 1000
)

// Page is a part of a list.
type Page[R any] struct {
	Items []*R `json:"items"`
	// Total counts the rows that match, on all pages.
	Total int `json:"total"`
	// Continue asks for the next page; empty on the last.
	Continue string `json:"continue,omitempty"`
}

// mark is the row after which a page begins, as Continue carries it.
type mark struct {
	Rank
	Sort string `json:"s"`
	Key  string `json:"k"`
}

// Page returns a part of the rows that are wanted, each of which wanted sees once and in order. A
// row that changes while somebody turns pages is on one of them or on none, and the others stay
// where they are. The error is of kind fleet.ErrInvalid.
func (t *Table[R]) Page(ask Ask, wanted func(*R) bool) (Page[R], error) {
	page := Page[R]{Items: []*R{}}
	column, sign, err := t.column(ask.Sort)
	if err != nil {
		return page, err
	}
	if ask.Limit < 0 || ask.Limit > MostRows {
		return page, fmt.Errorf("%w: limit %d: expected 1 to %d rows; ask for more with continue", fleet.ErrInvalid, ask.Limit, MostRows)
	}
	after, err := parseMark(ask)
	if err != nil {
		return page, err
	}
	limit := cmp.Or(ask.Limit, DefaultLimit)
	rows := t.sorted(column)
	last := placed[R]{}
	for i := range rows {
		p := rows[i]
		if sign < 0 {
			p = rows[len(rows)-1-i]
		}
		if !wanted(p.row) {
			continue
		}
		page.Total++
		switch {
		case after != nil && sign*p.compare(placed[R]{rank: after.Rank, key: after.Key}) <= 0:
		case len(page.Items) < limit:
			page.Items = append(page.Items, p.row)
			last = p
		case page.Continue == "":
			page.Continue = mark{last.rank, ask.Sort, last.key}.String()
		}
	}
	return page, nil
}

func (t *Table[R]) column(name string) (c Column[R], sign int, err error) {
	plain, reverse := strings.CutPrefix(name, "-")
	sign = 1
	if reverse {
		sign = -1
	}
	if plain == "" {
		return t.columns[0], sign, nil
	}
	i := slices.IndexFunc(t.columns, func(c Column[R]) bool { return c.Name == plain })
	if i < 0 {
		return c, 0, fmt.Errorf("%w: sort %q: expected one of %s, after a \"-\" for the reverse order", fleet.ErrInvalid, name, strings.Join(t.Columns(), ", "))
	}
	return t.columns[i], sign, nil
}

func (m mark) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		return "" // numbers and text can always be written
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseMark(ask Ask) (*mark, error) {
	if ask.Continue == "" {
		return nil, nil
	}
	wrong := fmt.Errorf("%w: continue %.40q: expected what the page before said, with the same sort; begin again without it", fleet.ErrInvalid, ask.Continue)
	text, err := base64.RawURLEncoding.DecodeString(ask.Continue)
	if err != nil {
		return nil, wrong
	}
	m := &mark{}
	if err := json.Unmarshal(text, m); err != nil || m.Sort != ask.Sort {
		return nil, wrong
	}
	return m, nil
}
