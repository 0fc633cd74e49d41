package fleet

import (
	"errors"
	"strings"
)

// Sentence is what an error says to the reader of a status: its text without the names of the
// kinds, which are for programs.
func Sentence(err error) string {
	text := err.Error()
	for _, kind := range []error{ErrInvalid, ErrNotYet} {
		if errors.Is(err, kind) {
			text = strings.Replace(text, kind.Error()+": ", "", 1)
		}
	}
	return text
}
