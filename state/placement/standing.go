package placement

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

// Standing says how far a ServiceSet is.
type Standing struct {
	// Ready of All services are as wanted.
	Ready, All int
	// Deployed means that all are, and that the adapter says so of the newest wish.
	Deployed bool
	// Failed is a sentence on the first service that failed, Waiting on the first that is not
	// as wanted for another reason; empty if there is none.
	Failed, Waiting string
}

// StandingOf reads how far a ServiceSet is. What its adapter says of an older wish does not count,
// as far as its conditions tell which wish they speak of.
func StandingOf(set *kcm.ServiceSet) Standing {
	s := Standing{}
	states := map[types.NamespacedName]kcm.ServiceState{}
	for _, state := range set.Status.Services {
		states[types.NamespacedName{Namespace: state.Namespace, Name: state.Name}] = state
	}
	fresh := !stale(set)
	for _, svc := range set.Spec.Services {
		key := types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}
		state, reported := states[key]
		delete(states, key)
		s.count(svc, state, reported && fresh)
	}
	for _, h := range heldOf(set) {
		s.Waiting = cmp.Or(s.Waiting, fmt.Sprintf("Service %s/%s: %s", h.Namespace, h.Name, strings.TrimSuffix(h.Message, ".")))
	}
	for _, state := range set.Status.Services {
		if _, left := states[types.NamespacedName{Namespace: state.Namespace, Name: state.Name}]; left && state.State != kcm.ServiceDeleted {
			s.All++
			s.Waiting = cmp.Or(s.Waiting, fmt.Sprintf("Service %s/%s is still being removed", state.Namespace, state.Name))
		}
	}
	empty := len(set.Spec.Services) == 0 && !set.Status.Deployed
	s.Deployed = fresh && !empty && s.Ready == s.All && s.Failed == "" && s.Waiting == ""
	return s
}

// count adds one service.
func (s *Standing) count(svc kcm.ServiceWithValues, state kcm.ServiceState, reported bool) {
	uninstall := svc.HelmAction != nil && *svc.HelmAction == kcm.HelmUninstall
	if uninstall && (!reported || state.State == kcm.ServiceDeleted) {
		return
	}
	s.All++
	name := fmt.Sprintf("Service %s/%s", svc.Namespace, svc.Name)
	switch {
	case !reported:
		s.Waiting = cmp.Or(s.Waiting, name+" is about to be deployed")
	case state.State == kcm.ServiceFailed:
		s.Failed = cmp.Or(s.Failed, sentence(name+" failed", state.FailureMessage))
	case uninstall:
		s.Waiting = cmp.Or(s.Waiting, name+" is still being removed")
	case state.State != kcm.ServiceDeployed:
		s.Waiting = cmp.Or(s.Waiting, sentence(name+" is "+string(state.State), state.FailureMessage))
	case state.Template != svc.Template || cmp.Or(state.Version, state.Template) != cmp.Or(svc.Version, svc.Template):
		s.Waiting = cmp.Or(s.Waiting, fmt.Sprintf("%s is still deployed in version %s of template %s", name, cmp.Or(state.Version, state.Template), state.Template))
	default:
		s.Ready++
	}
}

func sentence(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// stale says whether the status speaks of an older wish. An adapter that does not say of which
// is believed.
func stale(set *kcm.ServiceSet) bool {
	c := control.Find(set.Status.Conditions, kcm.ServicesInReadyStateCondition)
	return c != nil && c.ObservedGeneration > 0 && c.ObservedGeneration < set.Generation
}

// held is a service that its owner holds back: what state/service.Notes says of it. It is
// read here anew, since owners ask this package, and may not be asked by it.
type held struct {
	Namespace, Name, Reason, Message string
}

func heldOf(set *kcm.ServiceSet) []held {
	var notes struct {
		Held []held `json:"held"`
	}
	// Notes that cannot be read are their reader's to complain about: nothing is known of
	// what is held.
	if err := json.Unmarshal([]byte(set.Annotations[statev1.NotesAnnotation]), &notes); err != nil {
		return nil
	}
	// Of the revision that its set has, nothing is missing in a service that waits for its wave.
	return slices.DeleteFunc(notes.Held, func(h held) bool { return h.Reason == statev1.HeldWave })
}
