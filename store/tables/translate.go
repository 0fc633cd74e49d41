package tables

import (
	"context"
	"errors"
	"fmt"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// failure says what was done and which of our kinds of errors the database's is.
func failure(doing string, err error) error {
	var d *duckdb.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.As(err, &d):
		if k := kindOf(d); k != nil {
			return fmt.Errorf("%s: %w: %w", doing, k, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func kindOf(d *duckdb.Error) error {
	// The driver has no type for a disk without room: its error carries the system's words.
	full := strings.Contains(d.Msg, "No space left") || strings.Contains(d.Msg, "Disk quota exceeded") || strings.Contains(d.Msg, "File too large")
	broken := d.Type == duckdb.ErrorTypeFatal || d.Type == duckdb.ErrorTypeInternal || strings.Contains(d.Msg, "database has been invalidated")
	switch {
	case full && broken:
		return errors.Join(ErrFull, ErrBroken)
	case full:
		return ErrFull
	case broken:
		return ErrBroken
	case d.Type == duckdb.ErrorTypeOutOfMemory:
		return ErrTooMuch
	}
	return nil
}
