package control

import (
	"encoding/json"
	"reflect"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// statusPatch is a merge patch of the status alone. The first one sends the status whole: a
// difference would leave out required fields that happen to be zero, since a Go struct cannot
// tell that the object has none of them yet.
type statusPatch struct{ was client.Object }

// Type is that of a JSON merge patch (RFC 7386).
func (p statusPatch) Type() types.PatchType { return types.MergePatchType }

// Data is the patch that makes the status that of now.
func (p statusPatch) Data(now client.Object) ([]byte, error) {
	fresh, ok := reflect.New(reflect.TypeOf(p.was).Elem()).Interface().(client.Object)
	if !ok {
		return client.MergeFrom(p.was).Data(now)
	}
	var status [3]json.RawMessage
	for i, o := range []client.Object{fresh, p.was, now} {
		raw, err := statusOf(o)
		if err != nil {
			return nil, err
		}
		status[i] = raw
	}
	if string(status[0]) != string(status[1]) {
		return client.MergeFrom(p.was).Data(now)
	}
	return json.Marshal(map[string]json.RawMessage{"status": status[2]})
}

func statusOf(o client.Object) (json.RawMessage, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var parts struct {
		Status json.RawMessage `json:"status"`
	}
	err = json.Unmarshal(raw, &parts)
	return parts.Status, err
}
