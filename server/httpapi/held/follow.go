package held

import (
	"context"
	"iter"

	"portico.dev/portico/observability/store"
)

var _ store.LogFollower = Telemetry{}

// FollowLogs implements store.LogFollower: all that comes has come, and then nothing does.
func (t Telemetry) FollowLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[store.Followed, error] {
	return func(yield func(store.Followed, error) bool) {
		if err := in.Check(); err != nil {
			yield(store.Followed{}, err)
			return
		}
		if !yield(store.Followed{}, nil) || t.Skipped > 0 && !yield(store.Followed{Skipped: t.Skipped}, nil) {
			return
		}
		for _, r := range t.Coming {
			wanted := sees(in, r.Tenant) && r.Severity >= what.Severity && matches(what.Labels, r.Resource, r.Attributes) && says(r.Body, what.Text)
			if wanted && !yield(store.Followed{Record: &r}, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(store.Followed{}, ctx.Err())
	}
}
