package values

import (
	"fmt"
	"strconv"
	"text/template"
	"time"
)

// moment is a time in templates. It hides time.Time, some of whose methods ask the machine for
// its time zone.
type moment struct{ at time.Time }

// String writes it as Go does.
func (m moment) String() string { return m.at.String() }

// dates are sprig's, in UTC always: another machine must come to the same values.
var dates = template.FuncMap{
	"date":     func(layout string, at any) (string, error) { return format(layout, at, "") },
	"htmlDate": func(at any) (string, error) { return format(time.DateOnly, at, "") },
	"htmlDateInZone": func(at any, zone string) (string, error) {
		return format(time.DateOnly, at, zone)
	},
	"dateInZone": format, "date_in_zone": format,
	"toDate": parseDate, "mustToDate": parseDate,
	"dateModify": modify, "date_modify": modify, "mustDateModify": modify, "must_date_modify": modify,
	"unixEpoch": func(m moment) string { return strconv.FormatInt(m.at.Unix(), 10) },
}

func format(layout string, at any, zone string) (string, error) {
	if zone != "" && zone != "UTC" && zone != "Local" {
		return "", fmt.Errorf("the time zone %q is not known here: write UTC", zone)
	}
	var m moment
	switch at := at.(type) {
	case moment:
		m = at
	case int64:
		m.at = time.Unix(at, 0)
	case int:
		m.at = time.Unix(int64(at), 0)
	case int32:
		m.at = time.Unix(int64(at), 0)
	default:
		return "", fmt.Errorf("%q is no time: use toDate, or seconds since 1970", shorten(fmt.Sprint(at)))
	}
	return m.at.UTC().Format(layout), nil
}

func parseDate(layout, text string) (moment, error) {
	at, err := time.ParseInLocation(layout, text, time.UTC)
	return moment{at}, err
}

func modify(by string, m moment) (moment, error) {
	d, err := time.ParseDuration(by)
	return moment{m.at.Add(d)}, err
}
