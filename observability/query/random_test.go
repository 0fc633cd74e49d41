package query

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// writer makes random expressions that parse, over the metrics of storetest.Fleet.
type writer struct {
	*rand.Rand
	// more are matchers beside the usual ones.
	more []string
}

func (w writer) one(of ...string) string { return of[w.IntN(len(of))] }

func (w writer) matchers() string {
	var all []string
	for range w.IntN(3) {
		if len(w.more) > 0 && w.IntN(2) == 0 {
			all = append(all, w.one(w.more...))
			continue
		}
		all = append(all, w.one(`job="a"`, `job=~"a|c"`, `job!="b"`, `inst="1"`, `inst!~"2"`, `region="r1"`, `region=~"r1|r2"`, `region!="r0"`, `zone="z0"`, `kind=""`, `region=""`))
	}
	if len(all) == 0 {
		return ""
	}
	return "{" + strings.Join(all, ",") + "}"
}

func (w writer) selector() string {
	out := w.one("gauge", "gauge", "counter", "about", "hist_bucket", "nothing") + w.matchers()
	return out + w.one("", "", "", " offset 1m", " @ end()")
}

func (w writer) ranged(depth int) string {
	if depth > 0 && w.IntN(4) == 0 {
		return fmt.Sprintf("(%s)[4m:%s]", w.vector(depth-1), w.one("30s", "1m"))
	}
	return w.one("gauge", "counter") + w.matchers() + w.one("[2m]", "[5m]", "[90s]")
}

func (w writer) grouping() string {
	return w.one("", "", " by (job)", " by (region)", " by (region, zone)", " by (region, zone, job)", " by (job, inst)", " by (le)", " without (inst)", " without (region)", " without (region, zone, inst)", " without (zone)")
}

func (w writer) scalar() string {
	return w.one("2", "0.5", "-3", "time()/1e9", "scalar(sum(gauge))", "scalar(nothing)", "(1 + 1)")
}

// vector writes an expression that is a vector.
func (w writer) vector(depth int) string {
	if depth == 0 {
		return w.selector()
	}
	in := func() string { return w.vector(depth - 1) }
	switch w.IntN(16) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("%s%s (%s)", w.one("sum", "min", "max", "count", "avg", "group", "stddev"), w.grouping(), in())
	case 4:
		return fmt.Sprintf("%s%s (%s, %s)", w.one("topk", "bottomk"), w.grouping(), w.one("1", "3", "scalar(count(about))/5"), w.distinct())
	case 5:
		return fmt.Sprintf("quantile%s (0.7, %s)", w.grouping(), in())
	case 6, 7:
		return fmt.Sprintf("%s(%s)", w.one("rate", "increase", "delta", "max_over_time", "avg_over_time", "count_over_time", "last_over_time", "min_over_time", "present_over_time", "absent_over_time"), w.ranged(depth))
	case 8:
		return fmt.Sprintf("%s(%s)", w.one("abs", "ceil", "timestamp", "sort", "absent", "-"), in())
	case 9:
		return fmt.Sprintf("%s %s %s", w.scalar(), w.one("*", "+", "> bool"), in())
	case 10:
		return fmt.Sprintf("(%s) %s %s", in(), w.one("/", "-", ">", "!= bool"), w.scalar())
	case 11:
		return fmt.Sprintf("(%s) %s (%s)", in(), w.one("and", "or", "unless", "and on (job)", "or on (region, zone, job)", "unless ignoring (region)", "and on (region, zone)"), in())
	case 12:
		return fmt.Sprintf("(%s) %s (%s)", in(), w.one("+", "* on (region, zone, job, inst)", "> ignoring (kind)", "- on (job, inst)", "* on (region, zone, job, inst) group_left (kind)"), in())
	case 13:
		return fmt.Sprintf(`label_replace(%s, "%s", "$1-x", "%s", "(.*)")`, in(), w.one("job", "copy", "region", "tenant"), w.one("job", "region", "inst"))
	case 14:
		return fmt.Sprintf(`label_join(%s, "%s", "-", "%s", "inst")`, in(), w.one("copy", "zone"), w.one("job", "region"))
	}
	return fmt.Sprintf("histogram_quantile(0.9, %s)", w.one("hist_bucket", "sum by (le) (hist_bucket)", "sum by (le, region, zone) (rate(hist_bucket[5m]))", in()))
}

// distinct writes a vector without two equal values: of those, topk chooses either.
func (w writer) distinct() string {
	return fmt.Sprintf(w.one("gauge%s", "avg_over_time(gauge%s[5m])", "2 * gauge%s", "sum without (inst) (gauge%s)"), w.matchers())
}
