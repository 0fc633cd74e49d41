package supervise

import (
	"context"
	"log/slog"
	"time"
)

// RotateOften is Rotate for those who cannot wait.
func RotateOften(ctx context.Context, most int64, dirs ...string) error {
	return rotateEvery(ctx, time.Millisecond, slog.New(slog.DiscardHandler), most, dirs)
}
