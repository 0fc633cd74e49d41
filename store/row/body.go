package row

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Body makes the body of a record out of any bytes: valid UTF-8 without zero bytes. Of a body with
// more than most bytes the beginning is kept, followed by a mark that says how long it was.
func Body(text string, most int) string {
	mark := ""
	if len(text) > most {
		mark = "…[cut, " + strconv.Itoa(len(text)) + " bytes]"
		text = cut(text, most)
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "�")
	}
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "�")
	}
	return text + mark
}
