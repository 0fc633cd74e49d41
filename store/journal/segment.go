package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An entry is its length (4 bytes), the checksum of what follows (4), its sequence number (8), its data.
const headerBytes = 16

const suffix = ".journal"

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, suffix) }

// appendEntry appends an entry as it stands in a segment.
func appendEntry(to []byte, sequence uint64, data []byte) []byte {
	at := len(to)
	to = binary.LittleEndian.AppendUint32(to, uint32(len(data)))
	to = append(to, 0, 0, 0, 0)
	to = binary.LittleEndian.AppendUint64(to, sequence)
	to = append(to, data...)
	binary.LittleEndian.PutUint32(to[at+4:], checksum(to[at+8:]))
	return to
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// readEntry returns the first entry of a segment's bytes and what is behind it. It returns false where
// there is no whole one.
func readEntry(from []byte) (sequence uint64, data, rest []byte, ok bool) {
	if len(from) < headerBytes {
		return 0, nil, nil, false
	}
	n := int64(binary.LittleEndian.Uint32(from))
	if n > maxEntry || int64(len(from)) < headerBytes+n {
		return 0, nil, nil, false
	}
	end := headerBytes + int(n)
	if checksum(from[8:end]) != binary.LittleEndian.Uint32(from[4:]) {
		return 0, nil, nil, false
	}
	return binary.LittleEndian.Uint64(from[8:]), from[headerBytes:end], from[end:], true
}

// load replays the segments in their order.
func (j *Journal) load(replay Replay) error {
	paths, err := filepath.Glob(filepath.Join(j.dir, "*"+suffix))
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		first, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), suffix), 10, 64)
		if err != nil {
			return fmt.Errorf("listing the journal: %s: expected a number before %s", path, suffix)
		}
		if err := j.loadSegment(path, first, replay); err != nil {
			return fmt.Errorf("reading the journal's segment %s: %w", path, err)
		}
	}
	return nil
}

func (j *Journal) loadSegment(path string, first uint64, replay Replay) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	whole := 0
	for rest := data; ; {
		sequence, payload, after, ok := readEntry(rest)
		if !ok {
			break
		}
		if err := replay(sequence, payload); err != nil {
			return err
		}
		j.next = max(j.next, sequence+1)
		whole, rest = len(data)-len(after), after
	}
	j.next = max(j.next, first)
	if whole == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	j.segments = append(j.segments, segment{path: path, first: first, bytes: int64(whole)})
	j.bytes.Add(int64(whole))
	return nil
}

// each reads the entries that were synced when the segment was looked up.
func (s segment) each(see Replay) error {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was forgotten meanwhile
	}
	if err != nil {
		return err
	}
	for rest := data[:min(s.bytes, int64(len(data)))]; len(rest) > 0; {
		sequence, payload, after, ok := readEntry(rest)
		if !ok {
			return fmt.Errorf("an entry at %d: expected a whole one", len(data)-len(rest))
		}
		if err := see(sequence, payload); err != nil {
			return err
		}
		rest = after
	}
	return nil
}
