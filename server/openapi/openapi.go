package openapi

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
)

// Route is one method of one path.
type Route struct {
	Method string
	// Path has its parameters in braces, as http.ServeMux has them; "{rest...}" is whatever follows.
	Path string
	// Summary says in a few words what it does, Text more of it.
	Summary, Text string
	Query         []Parameter
	// Body and Answer are values of the types that are read and written; nil for none.
	Body, Answer any
	// Media is the type of the answer; empty means application/json.
	Media string
	// Code is the status of success; 0 means 200.
	Code int
	// Open says that nobody is asked who they are.
	Open bool
}

// Parameter is a value of the query.
type Parameter struct {
	Name, Text string
	// Type is string (where it is empty), integer or boolean.
	Type string
	// Repeated says that it may be given several times.
	Repeated bool
	// Values are those that there are; none means any.
	Values []string
}

// Info is what is said of the whole.
type Info struct{ Title, Version, Text string }

// Error is what each answer holds that is none.
type Error struct {
	Error string `json:"error"`
}

// Object is a JSON object. Maps are written in the order of their keys: the same routes give the
// same bytes.
type Object = map[string]any

// Document describes the routes.
func Document(info Info, routes []Route) Object {
	d := &describer{schemas: Object{}}
	paths := Object{}
	for _, r := range routes {
		path := plainPath(r.Path)
		if paths[path] == nil {
			paths[path] = Object{}
		}
		paths[path].(Object)[strings.ToLower(r.Method)] = d.operation(r)
	}
	d.schema(reflect.TypeFor[Error]())
	return Object{
		"openapi": "3.1.0",
		"info":    Object{"title": info.Title, "version": info.Version, "description": info.Text},
		"paths":   paths,
		"components": Object{
			"schemas": d.schemas,
			"securitySchemes": Object{
				"session":     Object{"type": "apiKey", "in": "cookie", "name": "__Host-portico"},
				"token":       Object{"type": "http", "scheme": "bearer", "description": "a token of the management API server"},
				"certificate": Object{"type": "mutualTLS", "description": "a client certificate of the management API server"},
			},
		},
		"security": []any{Object{"session": []any{}}, Object{"token": []any{}}, Object{"certificate": []any{}}},
	}
}

var rest = regexp.MustCompile(`\.\.\.}`)

func plainPath(path string) string { return rest.ReplaceAllString(path, "}") }

var parameters = regexp.MustCompile(`{([a-zA-Z]+)(\.\.\.)?}`)

type describer struct{ schemas Object }

func (d *describer) operation(r Route) Object {
	code := r.Code
	if code == 0 {
		code = http.StatusOK
	}
	good := Object{"description": r.Summary}
	media := r.Media
	if media == "" {
		media = "application/json"
	}
	if r.Answer != nil {
		good["content"] = Object{media: Object{"schema": d.schema(reflect.TypeOf(r.Answer))}}
	} else if r.Media != "" {
		good["content"] = Object{media: Object{}}
	}
	op := Object{
		"operationId": operationID(r), "summary": r.Summary,
		"responses": Object{
			fmt.Sprint(code): good,
			"default":        Object{"description": "it was refused, or did not succeed", "content": Object{"application/json": Object{"schema": ref(reflect.TypeFor[Error]())}}},
		},
	}
	if r.Text != "" {
		op["description"] = r.Text
	}
	if r.Open {
		op["security"] = []any{}
	}
	if r.Body != nil {
		op["requestBody"] = Object{"required": true, "content": Object{"application/json": Object{"schema": d.schema(reflect.TypeOf(r.Body))}}}
	}
	if ps := d.parameters(r); len(ps) > 0 {
		op["parameters"] = ps
	}
	return op
}

func operationID(r Route) string {
	return strings.ToLower(r.Method) + strings.NewReplacer("{", "", "}", "", "...", "", "-", "_", ".", "_", "/", "_").Replace(r.Path)
}

func (d *describer) parameters(r Route) []any {
	var out []any
	for _, m := range parameters.FindAllStringSubmatch(r.Path, -1) {
		out = append(out, Object{"name": m[1], "in": "path", "required": true, "schema": Object{"type": "string"}})
	}
	for _, p := range r.Query {
		schema := Object{"type": "string"}
		if p.Type != "" {
			schema["type"] = p.Type
		}
		if p.Values != nil {
			schema["enum"] = p.Values
		}
		if p.Repeated {
			schema = Object{"type": "array", "items": schema}
		}
		out = append(out, Object{"name": p.Name, "in": "query", "description": p.Text, "schema": schema})
	}
	return out
}
