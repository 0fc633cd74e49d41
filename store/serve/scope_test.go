package serve

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/store/tables"
)

// TestScope is the table of who sees what.
func TestScope(t *testing.T) {
	for _, c := range []struct {
		name, why string
		user      User
		header    []string
		query     string
		form      string
		want      tables.Scope
		err       error
	}{
		{name: "Nothing", why: "Who is let in and says nothing sees all, as VMAuth's administrators do.", want: tables.Scope{Everybody: true}},
		{name: "Header", why: "Portico says it by a header.", header: []string{"a"}, want: tables.Scope{Tenant: "a"}},
		{name: "Everybody", why: "And so for all.", header: []string{"*"}, want: tables.Scope{Everybody: true}},
		{name: "VMAuthLogs", why: "As KOF writes it for logs.", query: `extra_filters="tenant":="a"`, want: tables.Scope{Tenant: "a"}},
		{name: "VMAuthTraces", why: "As KOF writes it for traces.", query: `extra_filters="resource_attr:tenant":="a"`, want: tables.Scope{Tenant: "a"}},
		{name: "ACL", why: "As KOF's ACL server writes it.", query: `extra_filters=tenant:="a"`, want: tables.Scope{Tenant: "a"}},
		{name: "Selector", why: "As a selector.", query: `extra_filters={tenant="a"}`, want: tables.Scope{Tenant: "a"}},
		{name: "JSON", why: "As JSON.", query: `extra_filters={"tenant":"a"}`, want: tables.Scope{Tenant: "a"}},
		{name: "Twice", why: "The same twice is the same.", header: []string{"a"}, query: `extra_filters=tenant:=a`, want: tables.Scope{Tenant: "a"}},
		{name: "User", why: "A user with a tenant needs to say nothing.", user: User{Tenant: "a"}, want: tables.Scope{Tenant: "a"}},
		{name: "UserAndEverybody", why: "And cannot ask for more.", user: User{Tenant: "a"}, header: []string{"*"}, want: tables.Scope{Tenant: "a"}},
		{name: "UserAndOther", why: "Nor for others.", user: User{Tenant: "a"}, header: []string{"b"}, err: errForbidden},
		{name: "HeaderAgainstVMAuth", why: "A client behind VMAuth adds a header of its own.", header: []string{"b"}, query: `extra_filters="tenant":="a"`, err: errForbidden},
		{name: "FilterTwice", why: "Or an argument of its own.", query: `extra_filters=tenant:=b&extra_filters=tenant:=a`, err: errForbidden},
		{name: "Form", why: "Or hides it in a form.", query: `extra_filters=tenant:=a`, form: `extra_filters=tenant:=b`, err: errForbidden},
		{name: "TwoHeaders", why: "Or sends two headers.", header: []string{"a", "b"}, err: errForbidden},
		{name: "Or", why: "What is more than one condition is not understood.", query: `extra_filters=tenant:=a or tenant:=b`, err: errScope},
		{name: "Regex", why: "An expression is not one tenant.", query: `extra_filters={tenant=~".*"}`, err: errScope},
		{name: "OtherLabel", why: "What is not about tenants must not be taken for everybody.", query: `extra_filters={team="a"}`, err: errScope},
		{name: "OtherExtra", why: "VictoriaLogs has more such arguments, which we do not have.", query: `extra_stream_filters={tenant="a"}`, err: errScope},
		{name: "EmptyHeader", why: "An empty tenant is a mistake of somebody.", header: []string{""}, err: errScope},
		{name: "NoLabel", why: "A tenant is the value of a label.", header: []string{"a b"}, err: errScope},
		{name: "Fields", why: "VMAuth adds what is for writes, too.", query: `extra_fields=tenant=a`, want: tables.Scope{Tenant: "a"}},
		{name: "FieldsTwo", why: "Two tenants in one argument.", query: `extra_fields=tenant=a,tenant=b`, err: errForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			method := "GET"
			if c.form != "" {
				method = "POST"
			}
			values := url.Values{}
			for pair := range strings.SplitSeq(c.query, "&") {
				if name, value, ok := strings.Cut(pair, "="); ok {
					values.Add(name, value)
				}
			}
			r := httptest.NewRequest(method, "/x?"+values.Encode(), strings.NewReader(c.form))
			if c.form != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			r.Header["X-Portico-Tenant"] = c.header
			q, err := ask(httptest.NewRecorder(), r, c.user)
			if !errors.Is(err, c.err) || err == nil && q.in != c.want {
				t.Fatalf("%s got %+v, %v", c.why, q.in, err)
			}
		})
	}
}

func TestWriteTenant(t *testing.T) {
	for _, c := range []struct {
		name, why, target, header, want string
		err                             error
	}{
		{"Nothing", "What names no tenant is the platform's.", "/x", "", Platform, nil},
		{"Logs", "As VMAuth adds it.", "/x?extra_fields=tenant%3Da", "", "a", nil},
		{"Traces", "As VMAuth adds it to traces.", "/x?extra_fields=resource_attr:tenant%3Da", "", "a", nil},
		{"Header", "As Portico says it.", "/x", "a", "a", nil},
		{"Everybody", "Nobody writes for all.", "/x", "*", "", errScope},
		{"Differs", "A sender behind VMAuth cannot say otherwise.", "/x?extra_fields=tenant%3Da", "b", "", errForbidden},
		{"OtherField", "What would have to be added to the data is not.", "/x?extra_fields=team%3Da", "", "", errScope},
		{"BadQuery", "A query that is not one could hide something.", "/x?extra_fields=tenant%3Da;b", "", "", errScope},
	} {
		r := httptest.NewRequest("POST", c.target, nil)
		if c.header != "" {
			r.Header.Set("X-Portico-Tenant", c.header)
		}
		got, err := writeTenant(r, User{})
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %s got %q, %v", c.name, c.why, got, err)
		}
	}
}

func TestUsers(t *testing.T) {
	users := Users{{Name: "n", Password: "p", Tenant: "a"}, {Token: "secret", Tenant: "b"}}
	for _, c := range []struct {
		name, why, authorization, want string
		ok                             bool
	}{
		{"Basic", "By name and password.", "Basic bjpw", "a", true},
		{"Bearer", "By token.", "Bearer secret", "b", true},
		{"Wrong", "Not by another token.", "Bearer secre", "", false},
		{"Empty", "A user without a token is not found by an empty one.", "Bearer ", "", false},
		{"EmptyBasic", "Nor one without a password.", "Basic Og==", "", false},
		{"None", "Nor without anything.", "", "", false},
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Header.Set("Authorization", c.authorization)
		if user, ok := users.Find(r); ok != c.ok || user.Tenant != c.want {
			t.Errorf("%s: %s got %+v, %v", c.name, c.why, user, ok)
		}
	}
}

var now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestParseSearch(t *testing.T) {
	for _, c := range []struct{ name, why, query, err string }{
		{"Empty", "It is the last hour.", "", ""},
		{"Times", "Both ways to write a time.", "start=2026-03-04T11:00:00Z&end=1772625600000000000", ""},
		{"Reversed", "A range that ends before it begins is a mistake.", "start=2026-03-05T11:00:00Z", "start is after end"},
		{"NoTime", "A time is one of the two.", "start=yesterday", "RFC 3339"},
		{"Label", "A matcher has an operator.", "label=namespace", "name=value"},
		{"Regex", "An expression that does not parse is refused.", "label=a=~(", "missing closing"},
		{"Order", "There are two orders.", "order=best", "newest or oldest"},
		{"Limit", "The answer is bounded.", "limit=1000000", "between 0 and 1000"},
		{"Severity", "OpenTelemetry counts to 24.", "severity=25", "between 0 and 24"},
		{"Texts", "So are the texts.", strings.Repeat("text=x&", 33), "at most 32"},
		{"Labels", "And the labels.", strings.Repeat("label=a%3Db&", 61), "at most 60"},
	} {
		args, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseSearch(args, now, 1000)
		if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || !errors.Is(err, errArgument)) {
			t.Errorf("%s: %s got %v", c.name, c.why, err)
		}
	}
}

func FuzzSearchArguments(f *testing.F) {
	f.Add("start=2026-03-04T11:00:00Z&label=a%3D~b&text=%ff&order=oldest&limit=5")
	f.Add(`tags={"error":"true","a":"b"}&minDuration=1ms&lookback=2d&end=1772625600000000&tag=a:b`)
	f.Fuzz(func(t *testing.T, query string) {
		args, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if s, err := parseSearch(args, now, 1000); err == nil && (s.Limit < 1 || s.Limit > 1000 || s.Start > s.End || len(s.Labels) > tables.MaxMatchers) {
			t.Fatalf("%+v", s)
		}
		if s, err := parseTraceSearch(args, now); err == nil && (s.Limit < 1 || s.Limit > maxTraces || s.Least < 0 || len(s.Labels) > tables.MaxMatchers) {
			t.Fatalf("%+v", s)
		}
	})
}

// FuzzScope says that whatever else is asked for, a tenant's user sees that tenant's data.
func FuzzScope(f *testing.F) {
	f.Add("extra_filters=tenant:=b", "b", "extra_fields=tenant=b")
	f.Add("a=%zz", "*", "")
	f.Fuzz(func(t *testing.T, query, header, form string) {
		r := httptest.NewRequest("POST", "/x", strings.NewReader(form))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header["X-Portico-Tenant"] = []string{header}
		q, err := ask(httptest.NewRecorder(), r, User{Tenant: "a"})
		if err == nil && q.in != (tables.Scope{Tenant: "a"}) {
			t.Fatalf("%+v", q.in)
		}
	})
}
