package alertmanager

import (
	"fmt"
	"regexp"
	"slices"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// bound is the matcher by which a silence is a tenant's.
func bound(t store.Tenant) Matcher {
	return Matcher{Name: store.TenantLabel, Value: string(t), IsEqual: true}
}

// sees says whether the scope may see what has those labels.
func sees(in store.Scope, labels map[string]string) bool {
	return in.All() || in.Tenant() != "" && labels[store.TenantLabel] == string(in.Tenant())
}

// owns says whether a silence can hide the scope's alerts alone: whether it is bound to its tenant.
func owns(in store.Scope, s Silence) bool {
	return in.All() || in.Tenant() != "" && slices.Contains(s.Matchers, bound(in.Tenant()))
}

// bind returns the silence as the scope may create it. A matcher on the tenant that says anything
// but the tenant itself is refused: it would not do what its author thinks.
func bind(in store.Scope, s Silence) (Silence, error) {
	if err := in.Check(); err != nil {
		return Silence{}, err
	}
	if in.All() {
		return s, nil
	}
	own := bound(in.Tenant())
	var rest []Matcher
	for _, m := range s.Matchers {
		switch {
		case m.Name != store.TenantLabel:
			rest = append(rest, m)
		case m != own:
			return Silence{}, fmt.Errorf("%w: a silence of tenant %s has a matcher on the label %s: leave it out, it is added", fleet.ErrInvalid, in.Tenant(), store.TenantLabel)
		}
	}
	s.Matchers = append(rest, own)
	return s, nil
}

// check says what is wrong with a silence before Alertmanager is asked.
func (s Silence) check() error {
	switch {
	case len(s.Matchers) == 0:
		return fmt.Errorf("%w: a silence needs a matcher, such as alertname=NodeNotReady", fleet.ErrInvalid)
	case s.CreatedBy == "":
		return fmt.Errorf("%w: a silence needs its author", fleet.ErrInvalid)
	case s.Comment == "":
		return fmt.Errorf("%w: a silence needs a comment that says why", fleet.ErrInvalid)
	case !s.EndsAt.After(s.StartsAt):
		return fmt.Errorf("%w: a silence ends at %s, which is not after its start at %s", fleet.ErrInvalid, s.EndsAt, s.StartsAt)
	}
	for _, m := range s.Matchers {
		if m.Name == "" {
			return fmt.Errorf("%w: a matcher of a silence names no label", fleet.ErrInvalid)
		}
		if _, err := regexp.Compile("^(?:" + m.Value + ")$"); m.IsRegex && err != nil {
			return fmt.Errorf("%w: the matcher on %s is no regular expression: %w", fleet.ErrInvalid, m.Name, err)
		}
	}
	return nil
}
