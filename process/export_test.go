package process

import "context"

// StopOne stops p at once, as Stop does with what Find finds.
func StopOne(ctx context.Context, t Table, p Process) error { return t.stop(ctx, p, 0) }
