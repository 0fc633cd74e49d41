package fleet

import "time"

// Clock is the time that a component sees. It is handed in, so that a test can turn it.
type Clock func() time.Time
