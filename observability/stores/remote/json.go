package remote

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// deepest bounds how deep an answer may be nested.
const deepest = 64

// scanner reads JSON as it arrives, without a tree of it in memory: answers are long lists of
// small numbers, which a general decoder reads ten times slower.
type scanner struct {
	in    *bufio.Reader
	depth int
	text  []byte
}

func newScanner(r io.Reader) *scanner { return &scanner{in: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next byte that is not white space, without taking it.
func (s *scanner) next() (byte, error) {
	for {
		b, err := s.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case b == ' ' || b == '\n' || b == '\t' || b == '\r':
			continue
		}
		return b, s.in.UnreadByte()
	}
}

func (s *scanner) expect(want byte) error {
	got, err := s.next()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("expected %q, found %q", want, got)
	}
	_, err = s.in.ReadByte()
	return err
}

// object calls field for each key; field has to take the value.
func (s *scanner) object(field func(key string) error) error {
	return s.list('{', '}', func() error {
		key, err := s.string()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return field(key)
	})
}

// array calls element for each element, which has to take it.
func (s *scanner) array(element func() error) error { return s.list('[', ']', element) }

func (s *scanner) list(open, end byte, element func() error) error {
	if s.depth++; s.depth > deepest {
		return errors.New("it is nested too deep")
	}
	defer func() { s.depth-- }()
	if err := s.expect(open); err != nil {
		return err
	}
	b, err := s.next()
	if err != nil {
		return err
	}
	if b == end {
		return s.expect(end)
	}
	for {
		if err := element(); err != nil {
			return err
		}
		b, err := s.next()
		if err != nil {
			return err
		}
		if b == end {
			return s.expect(end)
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// string takes a string.
func (s *scanner) string() (string, error) {
	b, err := s.bytes()
	return string(b), err
}

// bytes takes a string; what it returns holds until the next call.
func (s *scanner) bytes() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	s.text = s.text[:0]
	for {
		b, err := s.in.ReadByte()
		switch {
		case err != nil:
			return nil, unexpected(err)
		case b == '"':
			return s.text, nil
		case b < 0x20:
			return nil, fmt.Errorf("a string holds the control character %#x", b)
		case b == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		default:
			s.text = append(s.text, b)
		}
	}
}

func (s *scanner) escape() error {
	b, err := s.in.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	switch b {
	case '"', '\\', '/':
		s.text = append(s.text, b)
	case 'n':
		s.text = append(s.text, '\n')
	case 't':
		s.text = append(s.text, '\t')
	case 'r':
		s.text = append(s.text, '\r')
	case 'b':
		s.text = append(s.text, '\b')
	case 'f':
		s.text = append(s.text, '\f')
	case 'u':
		return s.escapedRune()
	default:
		return fmt.Errorf("a string holds the unknown escape \\%c", b)
	}
	return nil
}

// escapedRune takes the digits of \uXXXX, and the second half of a pair.
func (s *scanner) escapedRune() error {
	r, err := s.hex()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		low := rune(utf8.RuneError)
		if ahead, err := s.in.Peek(2); err == nil && string(ahead) == `\u` {
			if _, err := s.in.Discard(2); err != nil {
				return err
			}
			if low, err = s.hex(); err != nil {
				return err
			}
		}
		r = utf16.DecodeRune(r, low)
	}
	s.text = utf8.AppendRune(s.text, r)
	return nil
}

func (s *scanner) hex() (rune, error) {
	var digits [4]byte
	if _, err := io.ReadFull(s.in, digits[:]); err != nil {
		return 0, unexpected(err)
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	return rune(n), err
}

// number takes a number as it is written.
func (s *scanner) number() ([]byte, error) {
	if _, err := s.next(); err != nil {
		return nil, err
	}
	s.text = s.text[:0]
	for {
		b, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) && len(s.text) > 0 {
			return s.text, nil
		}
		if err != nil {
			return nil, unexpected(err)
		}
		if b >= '0' && b <= '9' || b == '-' || b == '+' || b == '.' || b == 'e' || b == 'E' {
			s.text = append(s.text, b)
			continue
		}
		if err := s.in.UnreadByte(); err != nil {
			return nil, err
		}
		if len(s.text) == 0 {
			return nil, fmt.Errorf("expected a number, found %q", b)
		}
		return s.text, nil
	}
}

// word takes true, false or null.
func (s *scanner) word() (string, error) {
	if _, err := s.next(); err != nil {
		return "", err
	}
	s.text = s.text[:0]
	for len(s.text) < len("false") {
		b, err := s.in.ReadByte()
		if err != nil {
			return "", unexpected(err)
		}
		s.text = append(s.text, b)
		switch w := string(s.text); w {
		case "true", "false", "null":
			return w, nil
		}
	}
	return "", fmt.Errorf("expected a value, found %q", s.text)
}

// skip takes a value of any kind.
func (s *scanner) skip() error {
	b, err := s.next()
	if err != nil {
		return err
	}
	switch {
	case b == '{':
		return s.object(func(string) error { return s.skip() })
	case b == '[':
		return s.array(s.skip)
	case b == '"':
		_, err = s.bytes()
	case b == '-' || b >= '0' && b <= '9':
		_, err = s.number()
	default:
		_, err = s.word()
	}
	return err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
