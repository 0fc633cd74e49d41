package openapi_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/server/openapi"
)

type word string

type base struct {
	Kind word `json:"kind"`
}

type tree struct {
	base
	Name     string         `json:"name"`
	Since    time.Time      `json:"since,omitzero"`
	Counts   map[string]int `json:"counts,omitempty"`
	Children []*tree        `json:"children,omitempty"`
	Hidden   string         `json:"-"`
	Any      any
	inner    int
}

func TestDocument(t *testing.T) {
	_ = tree{}.inner
	got := openapi.Document(openapi.Info{Title: "T", Version: "1"}, []openapi.Route{
		{Method: "GET", Path: "/trees/{name}", Summary: "One", Answer: tree{}, Query: []openapi.Parameter{{Name: "limit", Type: "integer"}, {Name: "label", Repeated: true}}},
		{Method: "POST", Path: "/trees/{name}", Summary: "Make", Body: tree{}, Code: 201},
		{Method: "GET", Path: "/files/{path...}", Summary: "File", Media: "text/plain", Open: true},
	})
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string                    `json:"operationId"`
			Parameters  []map[string]any          `json:"parameters"`
			RequestBody map[string]any            `json:"requestBody"`
			Responses   map[string]map[string]any `json:"responses"`
			Security    []any                     `json:"security"`
		} `json:"paths"`
		Components struct{ Schemas map[string]map[string]any } `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	one, made, file := doc.Paths["/trees/{name}"]["get"], doc.Paths["/trees/{name}"]["post"], doc.Paths["/files/{path}"]["get"]
	if len(one.Parameters) != 3 || one.Parameters[0]["in"] != "path" || one.Security != nil || one.Responses["200"] == nil || one.Responses["default"] == nil {
		t.Errorf("one: %+v", one)
	}
	if made.RequestBody == nil || made.Responses["201"] == nil || made.OperationID == one.OperationID {
		t.Errorf("make: %+v", made)
	}
	if file.Security == nil || len(file.Parameters) != 1 || file.Parameters[0]["name"] != "path" {
		t.Errorf("file: %+v", file)
	}
	want := map[string]any{
		"type": "object", "required": []any{"kind", "name", "Any"},
		"properties": map[string]any{
			"kind": map[string]any{"type": "string"}, "name": map[string]any{"type": "string"}, "since": map[string]any{"type": "string", "format": "date-time"},
			"counts":   map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "integer"}},
			"children": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/components/schemas/openapi_test.tree"}},
			"Any":      map[string]any{},
		},
	}
	if diff := cmp.Diff(want, doc.Components.Schemas["openapi_test.tree"]); diff != "" {
		t.Errorf("the schema of a type that holds itself (-want +got):\n%s", diff)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(text) {
		t.Error("the same routes give other bytes")
	}
}
