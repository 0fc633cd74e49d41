package tables

import (
	"context"
	"strconv"
	"strings"

	"portico.dev/portico/store/row"
)

// Scope is whose rows a question is about: one tenant's, or everybody's. The zero value is nobody's.
type Scope struct {
	Tenant    string
	Everybody bool
}

// clause is the condition that every statement has.
func (s Scope) clause() clause {
	if s.Everybody {
		return clause{"true", nil}
	}
	return clause{"tenant = ?", []any{s.Tenant}}
}

// onStreams turns the matchers into a condition on the rows of a day. It returns false where no row
// can match.
func (t *Tables) onStreams(ctx context.Context, day row.Day, in Scope, matchers []Matcher) (clause, bool, error) {
	if len(matchers) == 0 {
		return everyRow, true, nil
	}
	carried := func(name string) bool { return t.carried(day, name) }
	where := and(in.clause(), likely(matchers, carried))
	rows, err := t.db.QueryContext(ctx, "SELECT id, text FROM "+tablesOf(day).streamsTable()+" WHERE "+where.text, where.args...)
	if err != nil {
		return clause{}, false, failure("reading streams", err)
	}
	defer rows.Close()
	// Streams of which the same matchers are left to the rows are one group.
	groups := map[uint64][]int32{}
	for rows.Next() {
		var id int32
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return clause{}, false, failure("reading streams", err)
		}
		if open, ok := judge(matchers, row.Attributes(text), carried); ok {
			groups[open] = append(groups[open], id)
		}
	}
	if err := rows.Err(); err != nil {
		return clause{}, false, failure("reading streams", err)
	}
	if ids := groups[0]; len(groups) == 1 && len(ids) > 0 {
		all, err := t.allStreams(ctx, day, in, len(ids))
		if err != nil || all {
			return everyRow, all, err
		}
	}
	var either []clause
	for open, ids := range groups {
		c := []clause{oneOf(day, ids)}
		for i, m := range matchers {
			if open&(1<<i) != 0 {
				c = append(c, m.onRow())
			}
		}
		either = append(either, and(c...))
	}
	return or(either...), len(either) > 0, nil
}

var everyRow = clause{"true", nil}

// allStreams says whether the day has no more streams than these: then no row needs to be compared.
func (t *Tables) allStreams(ctx context.Context, day row.Day, in Scope, n int) (bool, error) {
	var all int
	where := in.clause()
	err := t.db.QueryRowContext(ctx, "SELECT count(*) FROM "+tablesOf(day).streamsTable()+" WHERE "+where.text, where.args...).Scan(&all)
	if err != nil {
		return false, failure("counting streams", err)
	}
	return all == n, nil
}

// judge returns which matchers are left to the rows of a stream; false where one of them says no.
func judge(matchers []Matcher, stream row.Attributes, carried func(string) bool) (uint64, bool) {
	var open uint64
	for i, m := range matchers {
		switch m.judge(stream, carried) {
		case no:
			return 0, false
		case perRow:
			open |= 1 << i
		}
	}
	return open, true
}

// likely is a condition that holds for every stream that can match, and for few others.
func likely(matchers []Matcher, carried func(string) bool) clause {
	all := []clause{everyRow}
	for _, m := range matchers {
		if m.Op != Equal || m.Value == "" {
			continue
		}
		var has []clause
		left := false
		for _, name := range spellings(m.Name) {
			has = append(has, clause{"contains(text, ?)", []any{row.Pair(name, m.Value)}})
			left = left || carried(name)
		}
		if !left {
			all = append(all, or(has...))
		}
	}
	return and(all...)
}

// oneOf is the condition that a row is of one of the streams.
func oneOf(of row.Day, ids []int32) clause {
	if len(ids) == 1 {
		return clause{"stream = ?", []any{ids[0]}}
	}
	var list strings.Builder
	for i, id := range ids {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(strconv.Itoa(int(id)))
	}
	text := list.String()
	if len(ids) <= fewStreams {
		day := tablesOf(of).streamsTable()
		return clause{"stream IN (SELECT id FROM " + day + " WHERE list_contains(CAST(string_split(?, ',') AS INTEGER[]), id))", []any{text}}
	}
	return clause{"stream IN (SELECT CAST(unnest(string_split(?, ',')) AS INTEGER))", []any{text}}
}

// With so few streams the condition is a join with the table of streams: the database then passes over
// the rows of other streams before it reads their bodies. With a list of values, or with a join whose
// size it cannot guess, it reads all bodies first, which takes eight times as long.
const fewStreams = 256
